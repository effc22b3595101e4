import { type Logger, SECOND_MS } from '../base/index.ts';
import type { Sources } from '../gateway/index.ts';

const EVERY_MS = 30 * SECOND_MS;

export interface UpstreamProbes {
  /** How many registries behind us did not answer `/v2/` as they should when they were last asked. */
  away(): number;
  stop(): Promise<void>;
}

/**
 * Asks each registry behind us for `/v2/` now and then, so that one that is away shows in the metrics before somebody
 * pulls. It is no reason to be not ready: what is cached is still served.
 */
export function probeUpstreams(
  sources: Pick<Sources, 'all'>,
  { logger }: { readonly logger: Logger },
  everyMs = EVERY_MS,
): UpstreamProbes {
  const upstreams = sources.all.filter(({ source }) => source.kind === 'upstream');
  const away = new Set<string>();
  let running: Promise<void> = Promise.resolve();

  const probe = async ({ prefix, source }: Sources['all'][number]): Promise<void> => {
    const { isHealthy, note } = await source.check();
    if (isHealthy === !away.has(prefix)) return;
    if (isHealthy) away.delete(prefix);
    else away.add(prefix);
    logger[isHealthy ? 'info' : 'warn']('a probe of an upstream ended otherwise than the one before', {
      prefix,
      note,
    });
  };

  const timer = setInterval(() => {
    running = running
      .then(async () => void (await Promise.all(upstreams.map(probe))))
      .catch((error: unknown) => logger.error('an upstream could not be probed', {}, error));
  }, everyMs);
  timer.unref();
  return {
    away: () => away.size,
    stop() {
      clearInterval(timer);
      return running;
    },
  };
}
