import type { AccessRecord } from '../audit/index.ts';

/** A record of the log, with its place and its exact line. */
export interface OutletRecord {
  readonly index: number;
  readonly line: Buffer;
  readonly record: AccessRecord;
}

/** Port: the log that outlets read. */
export interface RecordSource {
  /** Leaves under the newest checkpoint. */
  size(): number;
  /** Records from leaf `from` on, below `to`. What is no record is passed over. */
  read(from: number, to: number): Promise<readonly OutletRecord[]>;
}

/** The other end of one outlet. */
export interface Receiver {
  /**
   * Whether what `send` sent has certainly arrived. Where the protocol has no answer (syslog), what was sent last is
   * sent once more after a lost connection or a restart.
   */
  readonly isConfirmed: boolean;
  /**
   * Resolves when the records are there, in this order.
   *
   * @returns how many of them the receiver will never take, and why.
   * @throws {Error} they are not, or nobody knows; the same records come again.
   */
  send(records: readonly OutletRecord[], signal: AbortSignal): Promise<Rejected | undefined>;
  close(): Promise<void>;
}

export interface Rejected {
  readonly count: number;
  readonly reason: string;
}

/** Port: where one outlet stands, kept so that a crash loses nothing. */
export interface Cursor {
  /** The first leaf that was not delivered; 0 where nothing is known. */
  load(): Promise<number>;
  save(next: number): Promise<void>;
}
