import type { Registries } from '../api/index.ts';
import type { Sources } from '../gateway/index.ts';

/** What the API asks of the registries behind the gateway. */
export function createRegistries(sources: Sources): Registries {
  return {
    nameOf: (repository) => sources.nameOf(repository) ?? repository,
    async resolve(repository, reference) {
      const located = sources.locate(repository);
      if (!located) return undefined;
      if (reference.kind === 'tag') return located.source.resolve(located.name, reference.tag);
      const found = await located.source.readManifest(located.name, reference.digest);
      return found ? reference.digest : undefined;
    },
    health: () =>
      Promise.all(
        sources.all.map(async ({ prefix, source }) => ({
          prefix,
          kind: source.kind,
          ...(await source.check()),
        })),
      ),
  };
}
