/** Chunks that arrive by message, read in order by one reader. */
export class ChunkQueue implements AsyncIterable<Buffer> {
  readonly #onTaken: () => void;
  #waiting: Buffer[] = [];
  #isEnded = false;
  #isClosed = false;
  #wake: (() => void) | undefined;

  /** @param onTaken called for each chunk as it is read. */
  constructor(onTaken: () => void) {
    this.#onTaken = onTaken;
  }

  push(chunk: Buffer): void {
    if (this.#isClosed) return;
    this.#waiting.push(chunk);
    this.#wake?.();
  }

  end(): void {
    this.#isEnded = true;
    this.#wake?.();
  }

  /** The reader wants no more. */
  close(): void {
    this.#isClosed = true;
    this.#waiting = [];
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    for (;;) {
      const chunk = this.#waiting.shift();
      if (chunk) {
        this.#onTaken();
        yield chunk;
      } else if (this.#isEnded) {
        return;
      } else {
        const { promise, resolve } = Promise.withResolvers<void>();
        this.#wake = resolve;
        await promise;
        this.#wake = undefined;
      }
    }
  }
}
