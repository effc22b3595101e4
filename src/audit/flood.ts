import { SECOND_MS } from '../base/index.ts';
import type { AuditEntry } from './record.ts';

/** Addresses and kinds of entry told apart within one second; the rest count as one. */
const KEYS_MAX = 1024;
const LISTED_MAX = 5;
const OTHERS = 'others';

export interface FloodLimits {
  readonly notesPerSecond: number;
  readonly notesPerSecondAndAddress: number;
}

/** Counts what is not recorded singly (design: a flood cannot fill the disk; threat A-27). */
export interface Flood {
  /** @returns false: too many; it is counted and will be in the next summary. */
  admit(entry: AuditEntry, monotonicMs: number): boolean;
  /** Counts an entry without a place of its own, whatever the limits say. */
  count(entry: AuditEntry): void;
  /** What was counted since the last call; `undefined`: nothing. */
  takeSummary(): { readonly count: number; readonly note: string } | undefined;
}

export function createFlood(limits: FloodLimits): Flood {
  let second = Number.NEGATIVE_INFINITY;
  let admitted = 0;
  let byAddress = new Map<string, number>();
  let counted = 0;
  let kinds = new Map<string, number>();
  let sources = new Map<string, number>();

  const count = (entry: AuditEntry): void => {
    counted += 1;
    increase(kinds, entry.reason === undefined ? entry.action : `${entry.action} ${entry.reason}`);
    increase(sources, entry.client?.address ?? 'no address');
  };

  return {
    count,
    admit(entry, monotonicMs) {
      const now = Math.floor(monotonicMs / SECOND_MS);
      if (now !== second) {
        second = now;
        admitted = 0;
        byAddress = new Map();
      }
      const ofAddress = increase(byAddress, entry.client?.address ?? '');
      if (admitted >= limits.notesPerSecond || ofAddress > limits.notesPerSecondAndAddress) {
        count(entry);
        return false;
      }
      admitted += 1;
      return true;
    },
    takeSummary() {
      if (counted === 0) return undefined;
      const summary = { count: counted, note: `${listMost(kinds)}; from ${listMost(sources)}` };
      counted = 0;
      kinds = new Map();
      sources = new Map();
      return summary;
    },
  };
}

/** @returns the new count. */
function increase(counts: Map<string, number>, key: string): number {
  const slot = counts.has(key) || counts.size < KEYS_MAX ? key : OTHERS;
  const next = (counts.get(slot) ?? 0) + 1;
  counts.set(slot, next);
  return next;
}

function listMost(counts: ReadonlyMap<string, number>): string {
  const sorted = [...counts].sort(([, a], [, b]) => b - a);
  const listed = sorted.slice(0, LISTED_MAX).map(([key, count]) => `${key.slice(0, 80)} (${count})`);
  const rest = sorted.length - listed.length;
  return rest > 0 ? `${listed.join(', ')} and ${rest} more` : listed.join(', ');
}
