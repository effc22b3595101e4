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
  /** Done twice it is as done once: where the line breaks during the call, it is made once more on the next one. */
  readonly isRepeatable?: boolean;
}

/** What one side offers: the functions of a port by part name. */
export type RpcParts = Readonly<Record<string, object>>;
