import type { Source } from '../content/index.ts';
import { parseRepository, type Repository } from '../oci/index.ts';

/** A registry and the name by which it knows the repository. */
export interface Located {
  readonly source: Source;
  readonly name: Repository;
}

/** Port: which registry holds which repository. */
export interface Sources {
  locate(repository: Repository): Located | undefined;
  /** Every registry with its prefix, for the catalog. */
  readonly all: readonly { readonly prefix: string; readonly source: Source }[];
}

/**
 * The registry with the longest prefix holds the repository; the prefix is taken off its name there.
 *
 * @param registries prefixes end in `/`, or are empty for "everything else".
 */
export function createSources(
  registries: readonly { readonly prefix: string; readonly source: Source }[],
): Sources {
  const byLength = [...registries].sort((a, b) => b.prefix.length - a.prefix.length);
  return {
    all: byLength,
    locate(repository) {
      const found = byLength.find(({ prefix }) => repository.startsWith(prefix));
      const name = found && parseRepository(repository.slice(found.prefix.length));
      return found && name ? { source: found.source, name } : undefined;
    },
  };
}
