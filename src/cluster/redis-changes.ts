import {
  type Change,
  type Changes,
  type Clock,
  createLocalChanges,
  type Logger,
  SECOND_MS,
} from '../base/index.ts';
import { BROKEN_LIFETIME_MS, type ChangeFeed, createChangeFeed } from './change-feed.ts';
import type { RedisConnection } from './redis-connection.ts';
import type { Seal } from './seal.ts';

/** Changes that pass between replicas through Redis. */
export interface RedisChanges {
  /** Told to the other replicas; whoever misses it notices by the next sign of life. */
  publish(changes: readonly Change[]): Promise<void>;
  /** What the other replicas tell. Broken while Redis, or a replica that was there, is not heard. */
  readonly changes: Changes;
  close(): Promise<void>;
}

/** `count` rises with every message, `seq` with every message that tells of changes. */
interface Message {
  readonly sender: string;
  readonly count: number;
  readonly seq: number;
  readonly changes?: readonly Change[];
  /** The sender stops; its silence from now on means nothing. */
  readonly isLast?: boolean;
}

interface Sender {
  readonly feed: ChangeFeed;
  lastCount: number;
  heardAtMs: number;
}

const CHANNEL = 'v1:changes';
const BEAT_MS = 500;
/** A replica that died told nobody; after so long without a sign of life it is taken to be stopped. */
const FORGET_MS = 30 * SECOND_MS;

/**
 * A message can only make others forget: at worst a forged one makes them slower. It is sealed all the same, since
 * forged signs of life could hide that messages are held back.
 *
 * @param sender a fresh name for each run of a process.
 */
export function createRedisChanges(
  { sender }: { readonly sender: string },
  parts: {
    readonly publisher: RedisConnection;
    /** A connection of its own: one that listens can do nothing else. */
    readonly subscriber: RedisConnection;
    readonly seal: Seal;
    readonly clock: Clock;
    readonly logger: Logger;
  },
): RedisChanges {
  const { publisher, subscriber, seal, clock, logger } = parts;
  const local = createLocalChanges();
  const senders = new Map<string, Sender>();
  let count = 0;
  let seq = 0;

  async function send(more: Pick<Message, 'changes' | 'isLast'> = {}): Promise<void> {
    const message: Message = { sender, count: ++count, seq, ...more };
    await publisher.ask((client) => client.publish(CHANNEL, seal.seal(CHANNEL, JSON.stringify(message))));
  }

  function receive(sealed: string): void {
    const text = seal.open(CHANNEL, sealed);
    if (text === undefined) {
      logger.warn('a message that is not ours came over Redis and was ignored');
      return;
    }
    const message: Message = JSON.parse(text);
    const known = senders.get(message.sender);
    // One that was heard before, put back by somebody, is no sign of life.
    if (known && message.count <= known.lastCount) return;
    if (message.isLast) senders.delete(message.sender);
    else if (known) hear(known, message);
    else begin(message);
  }

  function hear(from: Sender, message: Message): void {
    from.lastCount = message.count;
    from.heardAtMs = clock.monotonicMs();
    // What this process changed itself, it knows; its own messages only show that the channel carries.
    const changes = message.sender === sender ? [] : message.changes;
    const isWhole = message.changes
      ? from.feed.receive(message.seq, changes ?? [])
      : from.feed.hear(message.seq);
    // A gap: what was missed is unknown, but from here on the channel is whole again.
    if (!isWhole) from.feed.begin(message.seq);
  }

  /** A sender that was not known: what it told before, nobody here has heard. */
  function begin(message: Message): void {
    const feed = createChangeFeed({ clock });
    feed.onChange((change) => local.publish(change));
    feed.onLost(() => local.lose());
    senders.set(message.sender, { feed, lastCount: message.count, heardAtMs: clock.monotonicMs() });
    feed.begin(message.seq);
  }

  function forgetDead(): void {
    for (const [name, { heardAtMs }] of senders) {
      if (clock.monotonicMs() - heardAtMs >= FORGET_MS) senders.delete(name);
    }
  }

  function breakSilent(): void {
    for (const { feed } of senders.values()) if (feed.isSilent()) feed.break();
  }

  // Its own signs of life come back through Redis: as long as they do, the channel carries.
  const hearsItself = (): boolean => senders.get(sender)?.feed.isWhole() === true;
  const isWhole = (): boolean => hearsItself() && [...senders.values()].every(({ feed }) => feed.isWhole());

  function listen(): void {
    void subscriber.ask((client) => client.subscribe(CHANNEL));
  }

  subscriber.onBack(listen);
  subscriber.client.on('message', (_channel: string, sealed: string) => receive(sealed));
  const beat = setInterval(() => {
    forgetDead();
    breakSilent();
    if (!hearsItself()) listen();
    void send();
  }, BEAT_MS);
  beat.unref();

  return {
    changes: {
      onChange: local.onChange,
      onLost: local.onLost,
      lifetimeMsMax: () => (isWhole() ? Number.POSITIVE_INFINITY : BROKEN_LIFETIME_MS),
    },
    publish(changes) {
      seq++;
      return send({ changes });
    },
    async close() {
      clearInterval(beat);
      await send({ isLast: true });
    },
  };
}
