import { type Clock, type Logger, newId, type Random } from '../base/index.ts';
import type { VerdictMemory } from '../verdicts/index.ts';
import { createRedisChanges, type RedisChanges } from './redis-changes.ts';
import type { RedisTarget } from './redis-client.ts';
import { connectRedis } from './redis-connection.ts';
import { createRedisVerdicts } from './redis-verdicts.ts';
import { createSeal } from './seal.ts';

export interface RedisParts {
  /** At least 32 random bytes, the same for every process that shares this Redis. */
  readonly hmacKey: Uint8Array;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface OpenRedis {
  readonly verdicts: VerdictMemory;
  /** For /readyz and doctor; nothing depends on it. */
  isAvailable(): boolean;
  close(): void;
}

/** Opens the shared memory for verdicts. Returns at once, whether Redis is there or not (threats F-09). */
export function openRedis(target: RedisTarget, parts: RedisParts): OpenRedis {
  const connection = connectRedis(target, parts);
  const seal = createSeal(parts.hmacKey, 'dockgate verdict');
  return {
    verdicts: createRedisVerdicts(connection, { ...parts, seal }),
    isAvailable: connection.isAvailable,
    close: connection.close,
  };
}

/** Opens the channel of changes between replicas: one in each replica's housekeeping process. */
export function openRedisChanges(target: RedisTarget, parts: RedisParts): RedisChanges {
  const publisher = connectRedis(target, parts);
  const subscriber = connectRedis(target, parts);
  const seal = createSeal(parts.hmacKey, 'dockgate change');
  const opened = createRedisChanges(
    { sender: newId(parts.random) },
    { ...parts, publisher, subscriber, seal },
  );
  return {
    ...opened,
    async close() {
      await opened.close();
      publisher.close();
      subscriber.close();
    },
  };
}
