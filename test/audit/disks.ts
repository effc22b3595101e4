import { type OpenSegment, openSegmentFile } from '../../src/audit/segment-file.ts';

/** What the next appends of a disk do. Anything not said works. */
export interface DiskMood {
  /** Called with the bytes before each append; what it throws is what the disk says. */
  before?: (bytes: Uint8Array, path: string) => void | Promise<void>;
  /** How many of the bytes still get into the file when `before` throws. */
  keeps?: (bytes: Uint8Array) => number;
  /** Called after the bytes are in the file: fsync that fails, or takes long. */
  after?: (path: string) => void | Promise<void>;
  /** Called before a segment is made. */
  beforeOpen?: (path: string) => void;
}

export class DiskError extends Error {
  readonly code: string;
  constructor(code: string) {
    super(`${code}: by order of the test`);
    this.code = code;
  }
}

/** Real files on a disk whose mood the test changes. */
export function moodyDisk(mood: DiskMood): OpenSegment {
  return async (path, durability) => {
    mood.beforeOpen?.(path);
    const file = await openSegmentFile(path, durability);
    return {
      ...file,
      async append(bytes) {
        try {
          await mood.before?.(bytes, path);
        } catch (error) {
          const kept = mood.keeps?.(bytes) ?? 0;
          if (kept > 0) await file.append(bytes.subarray(0, kept));
          throw error;
        }
        await file.append(bytes);
        await mood.after?.(path);
      },
    };
  };
}

/** A promise that is open until it is told to go on. */
export function gate(): { readonly passed: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { passed: promise, open: () => resolve() };
}

/** Waits until a condition holds. @throws when it does not within a minute. */
export async function until(isTrue: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!(await isTrue())) {
    if (performance.now() > deadline) throw new Error(`not within a minute: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
