import { Cluster, Redis, type RedisOptions } from 'ioredis';
import { SECOND_MS } from '../base/index.ts';

/** One server; whoever the sentinels call the master of a group; or the nodes of a cluster, some of them at least. */
type RedisPlace =
  | {
      /** `redis://host:port/database`, by TLS with `rediss:`. */
      readonly url: string;
    }
  | {
      readonly sentinels: readonly RedisAddress[];
      readonly master: string;
      readonly sentinelPassword?: string;
    }
  | { readonly cluster: readonly RedisAddress[] };

export interface RedisAddress {
  readonly host: string;
  readonly port: number;
}

export type RedisTarget = RedisPlace & {
  readonly username?: string;
  readonly password?: string;
  /** Beside sentinels or a cluster; an address alone says so itself. */
  readonly tls?: boolean;
  /** How long one question may take, in milliseconds: what is slower than the database is of no use. */
  readonly commandMsMax?: number;
};

export type RedisClient = Redis | Cluster;

export const COMMAND_MS_MAX = 40;
const CONNECT_MS_MAX = SECOND_MS;
const RECONNECT_MS_MIN = 50;
const RECONNECT_MS_MAX = 2 * SECOND_MS;
/** A cluster that moves its slots sends a question on; one that is down would be asked again and again. */
const REDIRECTIONS_MAX = 3;

/** A client that connects in the background, for ever, and never lets a question wait for a connection. */
export function createRedisClient(target: RedisTarget): RedisClient {
  const options = optionsOf(target);
  if ('url' in target) return new Redis(target.url, options);
  if ('cluster' in target) {
    return new Cluster([...target.cluster], {
      redisOptions: options,
      enableOfflineQueue: false,
      maxRedirections: REDIRECTIONS_MAX,
      slotsRefreshTimeout: CONNECT_MS_MAX,
      slotsRefreshInterval: 5 * SECOND_MS,
      clusterRetryStrategy: pause,
    });
  }
  return new Redis({
    ...options,
    sentinels: [...target.sentinels],
    name: target.master,
    // A master that was cut off goes on taking writes; its sentinels know first.
    failoverDetector: true,
    sentinelRetryStrategy: pause,
    ...(target.sentinelPassword === undefined ? {} : { sentinelPassword: target.sentinelPassword }),
    ...(target.tls ? { sentinelTLS: {}, enableTLSForSentinelMode: true } : {}),
  });
}

function optionsOf(target: RedisTarget) {
  return {
    ...(target.username === undefined ? {} : { username: target.username }),
    ...(target.password === undefined ? {} : { password: target.password }),
    ...(target.tls ? { tls: {} } : {}),
    commandTimeout: target.commandMsMax ?? COMMAND_MS_MAX,
    connectTimeout: CONNECT_MS_MAX,
    // A question that waits in a queue for Redis to come back is a pull that hangs (threats F-01, F-02).
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    retryStrategy: pause,
    // After a failover the old master is a replica: what it refuses another one takes.
    reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
  } satisfies RedisOptions;
}

function pause(times: number): number {
  return Math.min(RECONNECT_MS_MAX, RECONNECT_MS_MIN * 2 ** Math.min(times, 10));
}
