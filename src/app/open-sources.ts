import type { Clock, Logger, Random } from '../base/index.ts';
import type { Content, LinkReads, LinkWrites } from '../content/index.ts';
import { createSources, type Sources } from '../gateway/index.ts';
import { createOrigin } from '../origin/index.ts';
import { createUpstream } from '../upstream/index.ts';
import type { NodeConfig } from './node-config.ts';
import type { Paths } from './paths.ts';

/** The registries of the configuration, or the embedded one when there is none. */
export function openSources(
  config: NodeConfig,
  paths: Paths,
  parts: {
    readonly content: Content;
    readonly links: LinkReads;
    readonly linkWrites: LinkWrites;
    readonly clock: Clock;
    readonly random: Random;
    readonly logger: Logger;
  },
): Sources {
  if (config.upstreams.length === 0) {
    const origin = {
      directory: paths.uploads,
      sessionsMax: config.limits.uploadSessionsMax,
      unfinishedBytesMax: config.limits.uploadBytesMax,
    };
    return createSources([{ prefix: '', source: createOrigin(origin, parts) }]);
  }
  return createSources(
    config.upstreams.map(
      ({ prefix, access, staleTags, isExclusive, tagFreshMs, mirrors, isMirrorDefault, ...upstream }) => ({
        ...{ prefix, mirrors, isMirrorDefault, isReadOnly: access === 'pull', servesStaleTags: staleTags },
        ...{ isExclusive, tagFreshMs },
        source: createUpstream(upstream, parts),
      }),
    ),
  );
}
