import type { AccessRecord } from './record.ts';
import type { CountedBy } from './terms.ts';

/** Which records are wanted; what is absent is not asked for. An empty text is asked for, too. */
export interface RecordConditions {
  readonly user?: string | undefined;
  readonly action?: string | undefined;
  readonly repository?: string | undefined;
  /** `limited` is the part of `refused` that was too much. */
  readonly outcome?: 'allowed' | 'refused' | 'limited' | undefined;
  readonly digest?: string | undefined;
  readonly address?: string | undefined;
  /** A reason or the first parts of one: `policy` is every rule of every policy. */
  readonly reason?: string | undefined;
  /** `default/secrets`, or `secrets` in whatever policy. */
  readonly rule?: string | undefined;
  /** The decision's id as refusals and X-Request-Id print it; finds the completion, too. */
  readonly requestId?: string | undefined;
  readonly sinceMs?: number;
  readonly untilMs?: number;
}

export interface RecordQuery extends RecordConditions {
  /** Keyset page, newest first: records strictly older than this leaf index. */
  readonly beforeIndex?: number;
  /** Keyset page, oldest first: records strictly newer than this leaf index. Not beside `beforeIndex`. */
  readonly afterIndex?: number;
  /** 1 to 1000. */
  readonly limit: number;
}

/**
 * One page. It may hold fewer records than asked for although there are more: the work for one page has an end, so
 * that no question keeps a process from others.
 */
export interface RecordPage {
  readonly records: readonly IndexedRecord[];
  /**
   * Where the next page goes on, as `beforeIndex` or `afterIndex`. Absent: there is nothing older. Newer records may
   * always come, so a page of them says it always.
   */
  readonly next?: number;
}

export interface RecordCountQuery extends Omit<RecordConditions, 'requestId'> {
  readonly by: CountedBy;
  readonly beforeIndex?: number;
}

/** Counts of the records that were looked at; those of further pages are to be added. */
export interface RecordCounts {
  readonly counts: readonly { readonly value: string; readonly count: number }[];
  /** As of a page. */
  readonly next?: number;
}

/** How far the index reaches. */
export interface RecordIndexState {
  /** The first leaf index that is not in the index yet. */
  readonly nextIndex: number;
  /** Time of the newest record in it. */
  readonly newestMs?: number;
}

export interface IndexedRecord {
  /** Leaf index in the node's Merkle log. */
  readonly index: number;
  readonly record: AccessRecord;
}

/** Port: the search index, implemented by `store/`. It can be rebuilt from the log at will. */
export interface RecordIndexReads {
  search(query: RecordQuery): Promise<RecordPage>;
  /** How many records by one of their values. Whole days by day or by value come from sums, all else from pages. */
  count(query: RecordCountQuery): Promise<RecordCounts>;
  state(): Promise<RecordIndexState>;
  /** When each principal last did what, where; only what was allowed. */
  lastUses(): Promise<readonly LastUse[]>;
}

export interface LastUse {
  readonly principalId: string;
  /** The record's word: `pull`, `admin.user.add` ... */
  readonly action: string;
  /** `''` where the action is on no repository. */
  readonly repository: string;
  readonly atMs: number;
}

/** Used by the sequencer's process only. */
export interface RecordIndexWrites {
  /** The first leaf index that is not in the index yet. */
  nextIndex(): Promise<number>;
  append(records: readonly IndexedRecord[]): Promise<void>;
  /** Forgets the oldest records, at most `countMax`, below this leaf index. @returns how many they were. */
  removeBelow(index: number, countMax: number): Promise<number>;
  clear(): Promise<void>;
}
