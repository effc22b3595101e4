/** Lets so many pieces of work run at once and so many wait; one more is turned away. */
export interface Turnstile {
  /** @returns `undefined`, without having called `work`, when too many wait already. */
  pass<T>(work: () => Promise<T>): Promise<T | undefined>;
}

export function createTurnstile(options: {
  readonly runningMax: number;
  readonly waitingMax: number;
}): Turnstile {
  let runningCount = 0;
  const waiting: (() => void)[] = [];

  async function enter(): Promise<void> {
    if (runningCount < options.runningMax) {
      runningCount += 1;
      return;
    }
    // Whoever leaves hands its place over, so that nobody who comes later can slip in between.
    await new Promise<void>((resolve) => waiting.push(resolve));
  }

  function leave(): void {
    const next = waiting.shift();
    if (next) next();
    else runningCount -= 1;
  }

  return {
    async pass(work) {
      if (runningCount >= options.runningMax && waiting.length >= options.waitingMax) return undefined;
      await enter();
      try {
        return await work();
      } finally {
        leave();
      }
    },
  };
}
