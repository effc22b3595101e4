import type { Random } from '../base/index.ts';

const FIRST_MS = 500;
const MS_MAX = 60_000;

/**
 * How long to wait after so many failures in a row, in milliseconds: twice as long each time, up to a minute, and
 * somewhere between half of that and all of it, so that many outlets do not come back at once.
 *
 * @param failures 1 after the first.
 */
export function backoffMs(failures: number, random: Random): number {
  const longest = Math.min(MS_MAX, FIRST_MS * 2 ** Math.min(failures - 1, 20));
  const [byte = 0] = random.bytes(1);
  return Math.round(longest / 2 + (longest / 2) * (byte / 255));
}
