import type { Answered } from './session.ts';

/** What the clients of a soak were told, to be held against the access log. */
export interface Ledger {
  /** Requests that were sent; a session that fails tells what became of the rest. */
  sent: number;
  /** Of these, what was read again because its kept connection had just ended. */
  unanswered: number;
  /** Answers 429 whose Retry-After was waited for. */
  waited: number;
  readonly byStatus: ReadonlyMap<number, number>;
  /** Status by request id, of every answer to a request that showed a credential. */
  readonly recorded: ReadonlyMap<string, number>;
  /** Ids of answers to requests without one: they are recorded singly, or counted in a summary. */
  readonly noted: ReadonlySet<string>;
  /** @throws {Error} an answer without an id, or with one that another answer had. */
  add(answer: Answered, isAnonymous: boolean): void;
}

export function createLedger(): Ledger {
  const byStatus = new Map<number, number>();
  const recorded = new Map<string, number>();
  const noted = new Set<string>();
  return {
    ...{ sent: 0, unanswered: 0, waited: 0, byStatus, recorded, noted },
    add({ status, headers }, isAnonymous) {
      byStatus.set(status, (byStatus.get(status) ?? 0) + 1);
      const id = headers['x-request-id'];
      if (typeof id !== 'string') throw new Error(`an answer ${status} has no x-request-id`);
      if (recorded.has(id) || noted.has(id)) throw new Error(`two answers have the id ${id}`);
      if (isAnonymous) noted.add(id);
      else recorded.set(id, status);
    },
  };
}
