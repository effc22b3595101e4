import { CompiledQuery, type Kysely } from 'kysely';
import { type Change, type Clock, SECOND_MS } from '../../base/index.ts';
import { StoreUnavailable } from '../faults.ts';
import type { Turn } from '../transactions.ts';
import { type Lock, lockCall } from './locks.ts';

/** Whoever asked has given up by then; the write must not happen long after it was said to have failed. */
const WAIT_MS_MAX = 10 * SECOND_MS;

/**
 * Writers of all replicas follow each other, as those of one SQLite file do: what a transaction reads (the last admin,
 * a free name, who holds a tag) is still so when it commits.
 *
 * @param note what else is written with the changes, in the same transaction.
 */
export function createTurn<Tables>(
  lock: Lock,
  note: (now: Kysely<Tables>, changes: readonly Change[]) => Promise<void>,
  { clock }: { readonly clock: Clock },
): Turn<Tables> {
  const call = CompiledQuery.raw(lockCall('pg_advisory_xact_lock', lock));
  let last: Promise<unknown> = Promise.resolve();
  return {
    queue(transaction) {
      const askedAtMs = clock.monotonicMs();
      const mine = last.then(() => {
        if (clock.monotonicMs() - askedAtMs > WAIT_MS_MAX) {
          throw new StoreUnavailable(new Error('the writers before this one took too long'));
        }
        return transaction();
      });
      last = mine.catch(() => {});
      return mine;
    },
    async begin(now) {
      await now.executeQuery(call);
    },
    async end(now, changes) {
      if (changes.length > 0) await note(now, changes);
    },
  };
}
