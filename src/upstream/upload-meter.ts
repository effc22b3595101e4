import { Transform, type TransformCallback } from 'node:stream';

/**
 * Counts an upload's bytes on their way. A body of another length than announced is not finished: the
 * upstream sees a broken connection, never a shorter or longer upload that looks whole.
 *
 * Emits `passed` after each chunk and `wrong` with `short` or `long`, after which it passes nothing more.
 */
export class UploadMeter extends Transform {
  readonly #expectedBytes: number | undefined;
  #passedBytes = 0;

  /** @param expectedBytes `undefined`: any number. */
  constructor(expectedBytes: number | undefined) {
    super();
    this.#expectedBytes = expectedBytes;
  }

  get passedBytes(): number {
    return this.#passedBytes;
  }

  /** Whether bytes wait here for the upstream to take them. */
  isHeldUp(): boolean {
    return this.readableLength > 0 || this.writableLength > 0;
  }

  override _transform(chunk: Uint8Array, _encoding: string, done: TransformCallback): void {
    if (this.#expectedBytes !== undefined && this.#passedBytes + chunk.length > this.#expectedBytes) {
      this.emit('wrong', 'long');
      return;
    }
    this.#passedBytes += chunk.length;
    this.emit('passed');
    done(null, chunk);
  }

  override _flush(done: TransformCallback): void {
    if (this.#expectedBytes !== undefined && this.#passedBytes !== this.#expectedBytes) {
      this.emit('wrong', 'short');
      return;
    }
    done();
  }
}
