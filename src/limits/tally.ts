/** How much of one kind of traffic there may be; what is absent is not limited. */
export interface Allowance {
  /** A second, on average over a window. */
  readonly requests?: number | undefined;
  /** A second, both directions together, on average over a window. */
  readonly bytes?: number | undefined;
  /** Requests under way at once. */
  readonly streams?: number | undefined;
}

/** A window is long enough for a client that begins with many small requests, and short enough to wait for. */
export const WINDOW_MS = 10_000;

/** What was counted for one address, one principal or one set of repositories. */
export interface Tally {
  requests: number;
  bytes: number;
  /** Requests under way in this process, and in the others as they last said. */
  running: number;
  elsewhere: number;
  /** What other processes do not know yet. */
  newRequests: number;
  newBytes: number;
  /** End of the window on a clock that never goes back. */
  endsAtMs: number;
}

export type Excess = 'requests' | 'bytes' | 'streams';

export function newTally(nowMs: number): Tally {
  return {
    ...{ requests: 0, bytes: 0, running: 0, elsewhere: 0, newRequests: 0, newBytes: 0 },
    endsAtMs: nowMs + WINDOW_MS,
  };
}

/** Begins the next window when this one is over; what runs goes on. */
export function renewTally(tally: Tally, nowMs: number): void {
  if (nowMs < tally.endsAtMs) return;
  tally.requests = 0;
  tally.bytes = 0;
  tally.endsAtMs = nowMs + WINDOW_MS;
}

/** @returns what there is too much of for one request more. */
export function excessOf(tally: Tally, allowance: Allowance): Excess | undefined {
  const seconds = WINDOW_MS / 1000;
  if (isUsedUp(tally.running + tally.elsewhere, allowance.streams)) return 'streams';
  if (isUsedUp(tally.requests, times(allowance.requests, seconds))) return 'requests';
  return isUsedUp(tally.bytes, times(allowance.bytes, seconds)) ? 'bytes' : undefined;
}

function isUsedUp(count: number, most: number | undefined): boolean {
  return most !== undefined && count >= most;
}

function times(perSecond: number | undefined, seconds: number): number | undefined {
  return perSecond === undefined ? undefined : perSecond * seconds;
}
