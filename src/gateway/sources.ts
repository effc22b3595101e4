import type { Source } from '../content/index.ts';
import { parseRepository, type Refusal, type Repository, refuse } from '../oci/index.ts';

/** A registry and the name by which it knows the repository. */
export interface Located {
  readonly source: Source;
  readonly name: Repository;
  /** Pushes and deletes are refused. */
  readonly isReadOnly: boolean;
  /** While the registry is away, a tag is what it was when it was last pulled. */
  readonly servesStaleTags: boolean;
  /** Nobody but dockgate writes to it, so that its tags are what they were set to here. */
  readonly isExclusive: boolean;
  /** How old what it said of a tag may be, in milliseconds. */
  readonly tagFreshMs: number;
}

/** Port: which registry holds which repository. */
export interface Sources {
  locate(repository: Repository): Located | undefined;
  /**
   * The repository that a client means which asks us in place of another registry: with the prefix of the registry
   * that mirrors it. Rights and policies apply to that name.
   *
   * @param host the registry it wanted (`ns=docker.io`); absent: a plain name, which only a default mirror changes.
   * @returns `undefined` where nothing mirrors the host.
   */
  nameOf(repository: Repository, host?: string): Repository | undefined;
  /** Every registry with its prefix, for the catalog. */
  readonly all: readonly { readonly prefix: string; readonly source: Source }[];
}

/** A registry among others. */
export interface Placed {
  /** Ends in `/`, or is empty for "everything else". */
  readonly prefix: string;
  readonly source: Source;
  readonly isReadOnly?: boolean;
  readonly servesStaleTags?: boolean;
  readonly isExclusive?: boolean;
  readonly tagFreshMs?: number;
  /** Hosts in whose place it answers, in lower case: `docker.io`. */
  readonly mirrors?: readonly string[];
  /** Takes the names that no other prefix takes, with its own prefix put before them. */
  readonly isMirrorDefault?: boolean;
}

/** The registry with the longest prefix holds the repository; the prefix is taken off its name there. */
export function createSources(registries: readonly Placed[]): Sources {
  const byLength = [...registries].sort((a, b) => b.prefix.length - a.prefix.length);
  const mirrorDefault = registries.find(({ isMirrorDefault }) => isMirrorDefault);
  const mirrorOf = new Map(
    registries.flatMap((placed) => (placed.mirrors ?? []).map((host) => [host, placed])),
  );
  const placeOf = (repository: Repository) => byLength.find(({ prefix }) => repository.startsWith(prefix));
  return {
    all: byLength,
    locate(repository) {
      const found = placeOf(repository);
      const name = found && parseRepository(repository.slice(found.prefix.length));
      if (!found || !name) return undefined;
      const { isReadOnly = false, servesStaleTags = false, isExclusive = false, tagFreshMs = 0 } = found;
      return { source: found.source, name, isReadOnly, servesStaleTags, isExclusive, tagFreshMs };
    },
    nameOf(repository, host) {
      // Always put before it, also where the name begins with the prefix already: that is another repository there.
      if (host !== undefined) return prefixed(mirrorOf.get(host.toLowerCase()), repository);
      return placeOf(repository) ? repository : (prefixed(mirrorDefault, repository) ?? repository);
    },
  };
}

function prefixed(placed: Placed | undefined, repository: Repository): Repository | undefined {
  return placed && parseRepository(`${placed.prefix}${repository}`);
}

/** What a push to or a delete in a registry gets that is only read here. */
export function readOnlyRefusal(repository: Repository): Refusal {
  return refuse(
    'DENIED',
    `dockgate: ${repository} mirrors another registry and is read-only here: push to a repository of your own`,
  );
}
