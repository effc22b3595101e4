import type { Clock, Logger, Random } from '../base/index.ts';
import { type OpenRedis, openRedis } from '../cluster/index.ts';
import type { NodeConfig } from './node-config.ts';
import type { Paths } from './paths.ts';
import { readSharedKey } from './shared-keys.ts';

/**
 * The memory for verdicts that processes and replicas share, when one is configured. Returns at once, whether Redis
 * is there or not: it is slower without, never less safe.
 *
 * @throws {StartError} the key that seals its entries cannot be read.
 */
export async function openMemory(
  config: Pick<NodeConfig, 'redis'>,
  paths: Pick<Paths, 'cacheKey'>,
  parts: { readonly clock: Clock; readonly random: Random; readonly logger: Logger },
): Promise<OpenRedis | undefined> {
  if (!config.redis) return undefined;
  return openRedis(config.redis, { ...parts, hmacKey: await readSharedKey(paths.cacheKey) });
}
