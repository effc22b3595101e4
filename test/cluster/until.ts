import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

/** Waits for a condition that another process or a socket brings about; fails after a minute. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + 60_000;
  while (!(await condition())) {
    assert.ok(performance.now() < deadlineMs, `${condition} did not come true`);
    await sleep(5);
  }
}
