import { Redis } from 'ioredis';
import { type Clock, type Logger, SECOND_MS } from '../base/index.ts';

export interface RedisTarget {
  /** `redis://host:port/database`, by TLS with `rediss:`. */
  readonly url: string;
  readonly username?: string;
  readonly password?: string;
  /** How long one question may take, in milliseconds: what is slower than the database is of no use. */
  readonly commandMsMax?: number;
}

const COMMAND_MS_MAX = 40;
const CONNECT_MS_MAX = SECOND_MS;
const RECONNECT_MS_MIN = 50;
const RECONNECT_MS_MAX = 2 * SECOND_MS;
/** A server that did not answer is left alone for so long. */
const REST_MS = SECOND_MS;
/** Unanswered questions in a row after which the connection itself counts as dead. */
const UNANSWERED_MAX = 3;

/** A connection that costs nothing when Redis is away, slow or hanging. */
export interface RedisConnection {
  readonly client: Redis;
  /**
   * Asks, or does not ask at all while Redis is away.
   * @returns `undefined` when there is no answer in time or Redis refused; it never throws.
   */
  ask<T>(question: (client: Redis) => Promise<T>): Promise<T | undefined>;
  isAvailable(): boolean;
  /** Called when Redis is there (again): at every new connection, and at the first answer after a silence. */
  onBack(handler: () => void): void;
  close(): void;
}

/** Connects in the background, for ever; nobody waits for it, not even the start of the process. */
export function connectRedis(
  target: RedisTarget,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): RedisConnection {
  const client = new Redis(target.url, {
    ...(target.username === undefined ? {} : { username: target.username }),
    ...(target.password === undefined ? {} : { password: target.password }),
    commandTimeout: target.commandMsMax ?? COMMAND_MS_MAX,
    connectTimeout: CONNECT_MS_MAX,
    // A question that waits in a queue for Redis to come back is a pull that hangs (threats F-01, F-02).
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (times) => Math.min(RECONNECT_MS_MAX, RECONNECT_MS_MIN * 2 ** Math.min(times, 10)),
    // After a failover the old master is a replica: what it refuses another one takes.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  });
  let restUntilMs = Number.NEGATIVE_INFINITY;
  let unansweredCount = 0;
  let isTold = false;
  const backHandlers: (() => void)[] = [];

  function back(): void {
    unansweredCount = 0;
    restUntilMs = Number.NEGATIVE_INFINITY;
    for (const handler of backHandlers) handler();
  }

  const isAvailable = (): boolean => client.status === 'ready' && clock.monotonicMs() >= restUntilMs;

  client.on('error', (error: Error) => {
    if (!isTold) logger.warn('Redis is away; verdicts come from the database', { reason: error.message });
    isTold = true;
  });
  client.on('ready', () => {
    if (isTold) logger.info('Redis is back');
    isTold = false;
    back();
  });

  function unanswered(): void {
    restUntilMs = clock.monotonicMs() + REST_MS;
    if (++unansweredCount % UNANSWERED_MAX !== 0) return;
    logger.warn('Redis does not answer; connecting anew');
    client.disconnect(true);
  }

  return {
    client,
    isAvailable,
    async ask(question) {
      if (!isAvailable()) return undefined;
      try {
        const answer = await question(client);
        if (unansweredCount > 0) back();
        return answer;
      } catch (error) {
        // A refusal (memory full, a replica) is an answer; anything else says that nobody is there.
        const isRefusal = error instanceof Error && error.name === 'ReplyError';
        if (!isRefusal) unanswered();
        logger.debug('Redis did not do what it was asked', { reason: String(error) });
        return undefined;
      }
    },
    onBack: (handler) => void backHandlers.push(handler),
    close: () => client.disconnect(),
  };
}
