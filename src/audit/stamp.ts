import type { Clock } from '../base/index.ts';

/** A jump of the wall clock larger than this, in milliseconds, is recorded. */
export const STEP_MS_MIN = 5000;
/** Wall and monotonic clock drift apart by slewing; beyond this many milliseconds the wall clock is read anew. */
const DRIFT_MS_MAX = 2;

/** The times of one writer's records: microseconds, never going back whatever the wall clock does (threat A-17). */
export interface RecordTime {
  /** Microseconds since 1970. */
  nowUs(): number;
  /** The last step of the wall clock in milliseconds that nobody has taken yet; `undefined`: none. */
  takeStep(): number | undefined;
}

/** @param newestUs the newest time already in the log; times begin there at least. */
export function createRecordTime(clock: Clock, newestUs = 0): RecordTime {
  let anchorMs = clock.nowMs() - clock.monotonicMs();
  let lastUs = newestUs;
  let aheadMs = 0;
  let step: number | undefined;

  /** @param driftMs how far the wall clock is from where the monotonic clock says it should be. */
  const follow = (driftMs: number): void => {
    if (Math.abs(driftMs - aheadMs) > STEP_MS_MIN) {
      step = driftMs - aheadMs;
      aheadMs = 0;
      // After a large step back the higher time goes on: what ends at a time must not begin again.
      if (driftMs < 0) {
        aheadMs = driftMs;
        return;
      }
    }
    if (aheadMs === 0 && Math.abs(driftMs) > DRIFT_MS_MAX) anchorMs += driftMs;
  };

  return {
    nowUs() {
      follow(clock.nowMs() - (anchorMs + clock.monotonicMs()));
      lastUs = Math.max(lastUs, Math.floor((anchorMs + clock.monotonicMs()) * 1000));
      return lastUs;
    },
    takeStep() {
      const taken = step;
      step = undefined;
      return taken;
    },
  };
}

/** Prints microseconds since 1970 as `2026-11-24T11:35:19.123456Z`. */
export function printTime(us: number): string {
  const ms = Math.floor(us / 1000);
  const rest = String(us - ms * 1000).padStart(3, '0');
  return `${new Date(ms).toISOString().slice(0, -1)}${rest}Z`;
}

/** Reads what printTime printed as microseconds; NaN for anything else. */
export function parseTime(text: string): number {
  const ms = Date.parse(`${text.slice(0, 23)}Z`);
  return ms * 1000 + Number(text.slice(23, 26));
}
