import { Fault } from '../oci/index.ts';

/** The disk refused: full, read-only, broken. */
export class ContentUnavailable extends Fault {
  constructor(cause: unknown) {
    super(
      'DG_CONTENT_UNAVAILABLE',
      'UNAVAILABLE',
      'dockgate: content cannot be stored now, try again',
      cause,
    );
  }
}

/** What a registry sent is not what its digest or its size says. */
export class ContentMismatch extends Fault {
  constructor(what: string) {
    super('DG_CONTENT_MISMATCH', 'UNKNOWN', `dockgate: ${what}`, undefined, { status: 502 });
  }
}
