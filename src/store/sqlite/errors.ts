import { StoreConflict, StoreUnavailable } from '../faults.ts';

/** Result codes of SQLite. @see https://sqlite.org/rescode.html */
const CONSTRAINT_FOREIGN_KEY = 787;
const CONSTRAINT_PRIMARY_KEY = 1555;
const CONSTRAINT_UNIQUE = 2067;
const CANNOT_OPEN = 14;
const READ_ONLY = 8;
const BUSY = 5;
const CORRUPT = 11;
const NOT_A_DATABASE = 26;

export type SqliteFailure = 'damaged' | 'busy' | 'no-access' | 'other';

/** The extended result code, where SQLite threw; `undefined` for anything else, a closed database included. */
function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error)) return undefined;
  return typeof error.errcode === 'number' ? error.errcode : undefined;
}

/** What to tell whoever starts the process. */
export function classify(error: unknown): SqliteFailure {
  // The low byte is the kind of error, the rest its particulars.
  switch ((resultCode(error) ?? 0) & 0xff) {
    case CORRUPT:
    case NOT_A_DATABASE:
      return 'damaged';
    case BUSY:
      return 'busy';
    case CANNOT_OPEN:
    case READ_ONLY:
      return 'no-access';
    default:
      return 'other';
  }
}

/**
 * The error as the rest of the house knows it. Names are checked before they are written, so a conflict found by
 * the database itself is a race and gets a general sentence; a bug (TypeError) stays what it is.
 */
export function toFault(error: unknown): unknown {
  switch (resultCode(error)) {
    case CONSTRAINT_PRIMARY_KEY:
    case CONSTRAINT_UNIQUE:
      return new StoreConflict('taken', 'something of this name or id is there already', error);
    case CONSTRAINT_FOREIGN_KEY:
      return new StoreConflict('unknown', 'something that this refers to is not there (any more)', error);
    default:
      return error instanceof TypeError ? error : new StoreUnavailable(error);
  }
}
