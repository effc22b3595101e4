import type { Kysely } from 'kysely';
import type { Change, Topic } from '../base/index.ts';

/** Notes what a transaction changes; without a key: anything of the topic. */
export type Changed = (topic: Topic, key?: string) => void;

/** Runs one write: a transaction, then the news of what it changed. */
export type Write<Tables> = <T>(work: (sql: Kysely<Tables>, changed: Changed) => Promise<T>) => Promise<T>;

/** Above this many keys the whole topic is named: dropping all is cheaper than listing them. */
const KEYS_MAX = 64;

/**
 * Makes the one way to write to a database. Transactions follow each other, since they share one connection.
 *
 * @param publish resolves when every live process has dropped what it held. What it rejects with, the write rejects
 *   with: the change is kept, but nobody may be told that it holds everywhere.
 */
export function createWrite<Tables>(
  sql: Kysely<Tables>,
  publish: (changes: readonly Change[]) => Promise<void>,
): Write<Tables> {
  return async (work) => {
    const news = collectChanges();
    const result = await sql.transaction().execute((transaction) => work(transaction, news.changed));
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
  return sql.transaction().execute(work);
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
