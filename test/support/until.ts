import { setTimeout as passing } from 'node:timers/promises';

const EVERY_MS = 25;
const MS_MAX = 60_000;

/** Waits for a condition. @throws {Error} it did not come true within a minute. */
export async function until(isTrue: () => Promise<boolean> | boolean, what: string): Promise<void> {
  const endMs = performance.now() + MS_MAX;
  while (!(await isTrue())) {
    if (performance.now() > endMs) throw new Error(`in vain: ${what}`);
    await passing(EVERY_MS);
  }
}
