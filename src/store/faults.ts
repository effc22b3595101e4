import { Fault } from '../oci/index.ts';

/**
 * Why a change was not made. `taken`: the name or id is used. `unknown`: something it refers to is not there.
 * `last-admin`: nobody could give rights any more. `beyond`: it would give more than the giver holds. `in-use`: others refer to it. `built-in`, `configured`: it is
 * not changed here. `invalid`: it could not mean anything.
 */
export type ConflictReason =
  | 'taken'
  | 'unknown'
  | 'last-admin'
  | 'beyond'
  | 'in-use'
  | 'built-in'
  | 'configured'
  | 'invalid';

const STATUS: Partial<Record<ConflictReason, number>> = { unknown: 404, beyond: 403 };

/** The change contradicts what is kept; nothing was changed. The message is a sentence for the admin. */
export class StoreConflict extends Fault {
  override readonly name = 'StoreConflict';
  readonly reason: ConflictReason;

  constructor(reason: ConflictReason, message: string, cause?: unknown) {
    super('DG_STORE_CONFLICT', 'DENIED', message, cause, { status: STATUS[reason] ?? 409 });
    this.reason = reason;
  }
}

/** The database did not answer: locked, full, damaged, closed. The cause says which; it goes to the log only. */
export class StoreUnavailable extends Fault {
  override readonly name = 'StoreUnavailable';

  constructor(cause: unknown) {
    super('DG_STORE_UNAVAILABLE', 'UNAVAILABLE', 'the database is not available, try again', cause);
  }
}
