import type { IndexedRecord } from './ports.ts';
import type { AccessRecord } from './record.ts';

/** Records that are kept at most; some 15 MiB, and more than a busy second brings. */
const RECENT_MAX = 8192;

/** The newest records of the log, as they were taken up: what follows the log then need not read and parse them again. */
export interface RecentRecords {
  /** One more leaf, after it was signed. */
  meet(index: number, record: AccessRecord): void;
  /** Leaf index of the oldest that is kept; infinite where none is. */
  first(): number;
  /** All from this leaf on, without a hole; what is older is forgotten. At least from `first()` on. */
  takeFrom(index: number): readonly IndexedRecord[];
}

export function createRecentRecords(): RecentRecords {
  let kept: IndexedRecord[] = [];
  return {
    meet(index, record) {
      const last = kept.at(-1);
      // After a step that failed half way there are leaves that were not met.
      if (kept.length >= RECENT_MAX || (last !== undefined && last.index !== index - 1)) kept = [];
      kept.push({ index, record });
    },
    first: () => kept[0]?.index ?? Number.POSITIVE_INFINITY,
    takeFrom(index) {
      const taken = kept.filter((each) => each.index >= index);
      kept = [];
      return taken;
    },
  };
}
