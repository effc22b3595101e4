import type { Kysely } from 'kysely';
import type { Change, Topic } from '../base/index.ts';

/** Notes what a transaction changes; without a key: anything of the topic. */
export type Changed = (topic: Topic, key?: string) => void;

/** Runs one write: a transaction, then the news of what it changed. */
export type Write<Tables> = <T>(work: (sql: Kysely<Tables>, changed: Changed) => Promise<T>) => Promise<T>;

/** What a database needs around the work of a transaction. */
export interface Turn<Tables> {
  /** Waits for its turn among the writers of this process, which then hold one connection and not all of them. */
  queue<T>(transaction: () => Promise<T>): Promise<T>;
  /** First in the transaction: waits until no other writer is at work, so that what is read stays true to the end. */
  begin(sql: Kysely<Tables>): Promise<void>;
  /** Last in the transaction. */
  end(sql: Kysely<Tables>, changes: readonly Change[]): Promise<void>;
}

/** Above this many keys the whole topic is named: dropping all is cheaper than listing them. */
const KEYS_MAX = 64;

/**
 * Makes the one way to write to a database. Transactions follow each other: on SQLite since they share one connection,
 * elsewhere by `turn`.
 *
 * @param publish resolves when every live process has dropped what it held. What it rejects with, the write rejects
 *   with: the change is kept, but nobody may be told that it holds everywhere.
 */
export function createWrite<Tables>(
  sql: Kysely<Tables>,
  publish: (changes: readonly Change[]) => Promise<void>,
  turn?: Turn<Tables>,
): Write<Tables> {
  return async (work) => {
    const news = collectChanges();
    // Each statement sees what was committed before it: after the wait for the turn, all of it.
    const transaction = sql.transaction().setIsolationLevel('read committed');
    const run = () =>
      transaction.execute(async (now) => {
        await turn?.begin(now);
        const done = await work(now, news.changed);
        await turn?.end(now, news.changes());
        return done;
      });
    const result = await (turn ? turn.queue(run) : run());
    const changes = news.changes();
    if (changes.length > 0) await publish(changes);
    return result;
  };
}

/** Several statements that see the same state of the database. */
export function snapshot<Tables, T>(
  sql: Kysely<Tables>,
  work: (sql: Kysely<Tables>) => Promise<T>,
): Promise<T> {
  return sql.transaction().setIsolationLevel('repeatable read').execute(work);
}

function collectChanges(): { readonly changed: Changed; changes(): readonly Change[] } {
  const keysByTopic = new Map<Topic, Set<string> | 'all'>();
  return {
    changed(topic, key) {
      const keys = keysByTopic.get(topic) ?? new Set<string>();
      if (keys === 'all') return;
      if (key !== undefined) keys.add(key);
      keysByTopic.set(topic, key === undefined || keys.size > KEYS_MAX ? 'all' : keys);
    },
    changes: () =>
      [...keysByTopic].flatMap(([topic, keys]): readonly Change[] =>
        keys === 'all' ? [{ topic }] : [...keys].map((key) => ({ topic, key })),
      ),
  };
}
