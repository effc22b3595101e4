import type { Change } from '../base/index.ts';

/**
 * Calls from one process of the node to another, over a Unix socket in the data directory. Arguments and results
 * are JSON values; `undefined` members vanish.
 */
export interface Rpc {
  /**
   * @param method `accounts.addGrant`: the part and its function.
   * @throws {Fault} DG_HOUSEKEEPING_UNAVAILABLE: the other side is away or did not answer in time; whether the call
   *   took effect is then unknown. A Fault that the other side threw (a StoreConflict, too) arrives as a Fault with
   *   the same code, message and status; any other error as DG_HOUSEKEEPING_FAILED.
   */
  call(method: string, args: readonly unknown[], options?: CallOptions): Promise<unknown>;
}

export interface CallOptions {
  /** Longest time in milliseconds for the answer to come. */
  readonly timeoutMs?: number;
  /** Done twice it is as done once: where the line breaks during the call, it is made again on the next one. */
  readonly isRepeatable?: boolean;
}

/** What one side offers: the functions of a port by part name. */
export type RpcParts = Readonly<Record<string, object>>;

/** Port: the changes of all replicas, in the order of their transactions. Implemented by `store/`. */
export interface ChangeLog {
  /** The number of the newest entry; 0 when there is none. */
  newest(): Promise<number>;
  /** What other replicas changed after that entry, oldest first, and the newest number that was seen. */
  after(seq: number): Promise<{
    readonly entries: readonly { readonly changes: readonly Change[] }[];
    readonly newest: number;
  }>;
  /** Forgets what every replica has heard of. */
  prune(): Promise<void>;
}

/** Port: the line to the processes of this node. */
export interface ReplicaLine {
  publish(changes: readonly Change[]): Promise<void>;
  lose(): Promise<void>;
}
