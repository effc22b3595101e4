import { type Clock, newId, type Random, SECOND_MS } from '../base/index.ts';
import { createFlood, type FloodLimits } from './flood.ts';
import type { AuditEntry } from './record.ts';

/** What is recorded without being waited for, held to the flood limits. */
export interface Notes {
  /** @returns whether the entry may be recorded singly; if not it will be in a summary. */
  admit(entry: AuditEntry): boolean;
  /** Counts an entry that has no place of its own, for the next summary. */
  count(entry: AuditEntry): void;
  /** Hands out the summary of what was counted, if anything was, and ends the timer. */
  flush(): void;
}

/** @param pass takes one summary a second while there is something to sum up. */
export function createNotes(
  limits: FloodLimits,
  parts: { readonly clock: Clock; readonly random: Random; readonly pass: (summary: AuditEntry) => void },
): Notes {
  const flood = createFlood(limits);
  let timer: NodeJS.Timeout | undefined;

  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    const summary = flood.takeSummary();
    if (summary === undefined) return;
    const requestId = newId(parts.random);
    parts.pass({ kind: 'summary', requestId, action: 'flood', outcome: 'refused', status: 0, ...summary });
  };
  const schedule = (): void => {
    timer ??= setTimeout(flush, SECOND_MS).unref();
  };

  return {
    flush,
    admit(entry) {
      // The house's own words come from no caller, so no flood of them can come either.
      if (entry.kind === 'system' || flood.admit(entry, parts.clock.monotonicMs())) return true;
      schedule();
      return false;
    },
    count(entry) {
      flood.count(entry);
      schedule();
    },
  };
}
