import { Readable } from 'node:stream';
import { MiB } from '../base/index.ts';

/** Bytes of one read from disk. */
export const READ_BYTES = 1 * MiB;

/**
 * A stream of what `next` gives until it gives `undefined`. One that is destroyed while `next` waits closes at once,
 * which a stream made of a generator does not: its close would wait for the registry behind us.
 *
 * @param release called once, when the stream is over in whatever way.
 */
export function streamOf(next: () => Promise<Buffer | undefined>, release: () => void): Readable {
  return new Readable({
    highWaterMark: READ_BYTES,
    read() {
      next().then(
        (chunk) => {
          if (!this.destroyed) this.push(chunk ?? null);
        },
        (error: unknown) => {
          this.destroy(error instanceof Error ? error : new Error(String(error)));
        },
      );
    },
    destroy(error, callback) {
      release();
      callback(error);
    },
  });
}
