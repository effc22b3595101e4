/**
 * How long the next write waits for more records. A write costs the same for one record as for a hundred, most of all
 * where it waits for the disk, so under load it is worth a moment to let those come that will come anyway.
 */
export interface Gathering {
  /** Resolves when the records at hand should be written. */
  wait(): Promise<void>;
  /** One more record waits. */
  came(): void;
  /** A write has ended. */
  wrote(count: number): void;
}

/** Fewer at once are no load: nobody waits for anybody. */
const CROWD_MIN = 4;

/**
 * Whoever is answered now often asks again at once. So after a write as many are expected as had asked at its end: those
 * that it answered, and those that waited. Who is alone is written at the end of the turn of the event loop.
 *
 * @param waitMsMax milliseconds that are waited for those expected; 0: only for the rest of the turn.
 * @param waiting how many records wait now.
 */
export function createGathering(waitMsMax: number, waiting: () => number): Gathering {
  let expected = 0;
  let go: (() => void) | undefined;

  return {
    async wait() {
      // All that this turn of the event loop brings, whichever connections it comes from.
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
      if (waitMsMax === 0 || expected < CROWD_MIN || waiting() >= expected) return;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, waitMsMax);
        go = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      go = undefined;
    },
    came() {
      if (waiting() >= expected) go?.();
    },
    wrote(count) {
      expected = count + waiting();
    },
  };
}
