import { isErrorWithCode } from '../../base/index.ts';
import { StoreConflict, StoreUnavailable } from '../faults.ts';

/** SQLSTATE codes. @see https://www.postgresql.org/docs/current/errcodes-appendix.html */
const FOREIGN_KEY_VIOLATION = '23503';
const UNIQUE_VIOLATION = '23505';
const READ_ONLY = '25006';
const STATE = /^[0-9A-Z]{5}$/;

/** The code that the server gave; `undefined` for what never reached it or broke on the way. */
function stateOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined;
  return STATE.test(error.code) && !isErrorWithCode(error, 'EPIPE') ? error.code : undefined;
}

/**
 * Whether the connection is of no use any more: the line broke, an answer is still to come (a time-out), or the server
 * behind it became a standby, which another connection may not meet.
 */
export function isConnectionLost(error: unknown): boolean {
  const state = stateOf(error);
  // Class 08: connection exceptions, 57P: the server shuts down.
  return state === undefined || state === READ_ONLY || state.startsWith('08') || state.startsWith('57P');
}

/** The error as the rest of the house knows it; a bug (TypeError) stays what it is. */
export function toFault(error: unknown): unknown {
  switch (stateOf(error)) {
    case UNIQUE_VIOLATION:
      return new StoreConflict('taken', 'something of this name or id is there already', error);
    case FOREIGN_KEY_VIOLATION:
      return new StoreConflict('unknown', 'something that this refers to is not there (any more)', error);
    default:
      return error instanceof TypeError ? error : new StoreUnavailable(error);
  }
}
