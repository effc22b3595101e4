/** How far a fill has come, and who waits for more. */
export interface Growth {
  /** @param bytes received so far. */
  advance(bytes: number): void;
  /** All of it is there, and right. */
  finish(): void;
  fail(error: Error): void;
  /**
   * Waits until there is something to read behind `position`: up to the last byte before `end` while the fill goes
   * on, `end` once all of it is known to be right.
   *
   * @returns the end of what may be read, exclusive.
   * @throws what `fail` was given.
   */
  beyond(position: number, end: number): Promise<number>;
}

export function createGrowth(): Growth {
  let received = 0;
  let isFinished = false;
  let failure: Error | undefined;
  let change = Promise.withResolvers<void>();
  const wake = (): void => {
    change.resolve();
    change = Promise.withResolvers<void>();
  };
  return {
    advance(bytes) {
      received = bytes;
      wake();
    },
    finish() {
      isFinished = true;
      wake();
    },
    fail(error) {
      failure = error;
      wake();
    },
    async beyond(position, end) {
      for (;;) {
        if (failure) throw failure;
        if (isFinished) return end;
        const readable = Math.min(received, end - 1);
        if (readable > position) return readable;
        await change.promise;
      }
    },
  };
}
