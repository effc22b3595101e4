import type { Clock, Logger, Random } from '../base/index.ts';
import {
  openRedisChanges,
  openReplicaChanges,
  type ReplicaChanges,
  type RpcServer,
} from '../cluster/index.ts';
import type { Replicas } from '../store/index.ts';
import type { NodeConfig } from './node-config.ts';
import type { Paths } from './paths.ts';
import { readSharedKey } from './shared-keys.ts';

/** A message is worth more than a verdict: it is waited for a little longer. */
const MESSAGE_MS_MAX = 200;

/**
 * The channel to the other replicas of one PostgreSQL: its log of changes, and Redis where one is configured.
 *
 * @returns `undefined` on SQLite, which one node has for itself.
 */
export async function openReplicas(
  { config, paths }: { readonly config: NodeConfig; readonly paths: Paths },
  parts: {
    readonly replicas: Replicas | undefined;
    readonly line: Pick<RpcServer, 'publish' | 'lose'>;
    readonly clock: Clock;
    readonly random: Random;
    readonly logger: Logger;
  },
): Promise<ReplicaChanges | undefined> {
  if (!parts.replicas) return undefined;
  const hmacKey = await readSharedKey(paths.cacheKey);
  const redis = config.redis
    ? openRedisChanges({ ...config.redis, commandMsMax: MESSAGE_MS_MAX }, { ...parts, hmacKey })
    : undefined;
  return openReplicaChanges({}, { ...parts, log: parts.replicas.changes, redis });
}
