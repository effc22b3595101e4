import { type Clock, type Logger, SECOND_MS } from '../base/index.ts';
import { COMMAND_MS_MAX, createRedisClient, type RedisClient, type RedisTarget } from './redis-client.ts';

/** A server that did not answer is left alone for so long. */
const REST_MS = SECOND_MS;
/** What the client's own limit may be late. */
const GRACE_MS = 20;
/** Unanswered questions in a row after which the connection itself counts as dead. */
const UNANSWERED_MAX = 3;
/** Pause before a client that has given up is made to go on. */
const GO_ON_MS = 100;

/** A connection that costs nothing when Redis is away, slow or hanging. */
export interface RedisConnection {
  readonly client: RedisClient;
  /**
   * Asks, or does not ask at all while Redis is away.
   * @returns `undefined` when there is no answer in time or Redis refused; it never throws.
   */
  ask<T>(question: (client: RedisClient) => Promise<T>): Promise<T | undefined>;
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
  const client = createRedisClient(target);
  const answerMsMax = target.commandMsMax ?? COMMAND_MS_MAX;
  let restUntilMs = Number.NEGATIVE_INFINITY;
  let unansweredCount = 0;
  let isTold = false;
  let isClosed = false;
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

  // The client ends itself when its sentinels name a new master while it asks them for one; nobody else ends it.
  client.on('end', () => {
    if (isClosed) return;
    setTimeout(() => {
      // What it fails of it says by 'error', and by 'end' again.
      if (!isClosed) client.connect().catch(() => {});
    }, GO_ON_MS).unref();
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
        const answer = await inTime(question(client), answerMsMax);
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
    close() {
      isClosed = true;
      client.disconnect();
    },
  };
}

/** A cluster asks several nodes for one answer, each of which may take its time. */
function inTime<T>(answer: Promise<T>, msMax: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('no answer in time')), msMax + GRACE_MS);
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
