import type { AccessRecord } from './record.ts';

export interface RecordQuery {
  readonly user?: string | undefined;
  readonly action?: string | undefined;
  readonly repository?: string | undefined;
  readonly outcome?: 'allowed' | 'refused' | undefined;
  readonly digest?: string | undefined;
  readonly address?: string | undefined;
  /** A reason or the first parts of one: `policy` is every rule of every policy. */
  readonly reason?: string | undefined;
  /** The decision's id as refusals and X-Request-Id print it; finds the completion, too. */
  readonly requestId?: string | undefined;
  readonly sinceMs?: number;
  readonly untilMs?: number;
  /** Keyset page: records strictly older than this leaf index. */
  readonly beforeIndex?: number;
  /** 1 to 1000. */
  readonly limit: number;
}

export interface IndexedRecord {
  /** Leaf index in the node's Merkle log. */
  readonly index: number;
  readonly record: AccessRecord;
}

/** Port: the search index, implemented by `store/`. It can be rebuilt from the log at will. */
export interface RecordIndexReads {
  search(query: RecordQuery): Promise<readonly IndexedRecord[]>;
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
  clear(): Promise<void>;
}
