import { Fault } from '../oci/index.ts';

/** The disk refused: full, read-only, broken. */
export class ContentUnavailable extends Fault {
  constructor(cause: unknown) {
    super(
      'DG_CONTENT_UNAVAILABLE',
      'UNAVAILABLE',
      'dockgate: content cannot be stored or read now, try again',
      cause,
    );
  }
}

/** What a registry sent, or what lay on disk, is not what its digest or its size says. */
export class ContentMismatch extends Fault {
  constructor(what: string) {
    super('DG_CONTENT_MISMATCH', 'UNKNOWN', `dockgate: ${what}`, undefined, { status: 502 });
  }
}

/** The transfer from a registry broke off before its end. */
export class ContentCut extends Fault {
  constructor(cause: unknown) {
    super(
      'DG_CONTENT_CUT',
      'UNAVAILABLE',
      'dockgate: the registry broke off the transfer, try again',
      cause,
      {
        status: 502,
      },
    );
  }
}

/** Gives what a disk operation gives, and its error as {@link ContentUnavailable}. */
export async function orUnavailable<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    throw new ContentUnavailable(cause);
  }
}
