/**
 * How long the next write waits for more records. A write costs the same for one record as for a hundred, most of all
 * where it is a write to the disk, so under load it is worth letting those come that are coming anyway.
 */
export interface Gathering {
  /** Resolves when the records at hand should be written. */
  wait(): Promise<void>;
  /** A write has ended. */
  wrote(count: number): void;
}

/**
 * Waits for the rest of the turn of the event loop, whichever connections it serves, and on for as long as each further
 * turn brings more: up to as many as the last write answered and found waiting, since whoever is answered now often asks
 * again at once. No time is waited for: that cost more than it gathered.
 *
 * @param turnsMax turns of the event loop, at least 1.
 * @param waiting how many records wait now.
 */
export function createGathering(turnsMax: number, waiting: () => number): Gathering {
  let expected = 0;
  return {
    async wait() {
      for (let turn = 1; ; turn += 1) {
        const before = waiting();
        await new Promise((resolve) => {
          setImmediate(resolve);
        });
        const now = waiting();
        if (turn >= turnsMax || now === before || now >= expected) return;
      }
    },
    wrote(count) {
      expected = count + waiting();
    },
  };
}
