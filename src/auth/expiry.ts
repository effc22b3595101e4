import { DAY_MS, HOUR_MS, MINUTE_MS } from '../base/index.ts';

const WARN_MS_MAX = 7 * DAY_MS;
const WARN_SHARE = 0.2;

/**
 * What to tell whoever uses a credential that ends soon: in its last seven days, or in the last fifth of a shorter
 * life, so that a token of an hour does not warn from its first minute.
 *
 * @returns `undefined` while there is time, and when it is over.
 */
export function expiryWarning(
  credential: { readonly what: string; readonly createdAtMs: number; readonly expiresAtMs: number },
  nowMs: number,
): string | undefined {
  const { what, createdAtMs, expiresAtMs } = credential;
  const restMs = expiresAtMs - nowMs;
  const warnMs = Math.min(WARN_MS_MAX, (expiresAtMs - createdAtMs) * WARN_SHARE);
  if (restMs <= 0 || restMs > warnMs) return undefined;
  return `${what} ends in ${about(restMs)}`;
}

/** In the largest unit of which there are two, cut off: never longer than it is. */
function about(ms: number): string {
  if (ms >= 2 * DAY_MS) return `${Math.floor(ms / DAY_MS)} days`;
  if (ms >= 2 * HOUR_MS) return `${Math.floor(ms / HOUR_MS)} hours`;
  return ms >= 2 * MINUTE_MS ? `${Math.floor(ms / MINUTE_MS)} minutes` : 'a moment';
}
