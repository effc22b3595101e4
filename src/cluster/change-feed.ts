import { type Change, type Changes, type Clock, createLocalChanges, SECOND_MS } from '../base/index.ts';

/** Silence after which a change may have been missed. The sender gives a sign of life twice as often. */
const SILENCE_MS_MAX = SECOND_MS;
/** Longest life of what is cached while changes may be missed. */
export const BROKEN_LIFETIME_MS = 2 * SECOND_MS;

/** The receiving end of a channel of numbered changes: watches for gaps and silence. */
export interface ChangeFeed extends Changes {
  /** The channel is (again) whole from this number on; what was cached before is dropped. */
  begin(seq: number): void;
  /** @returns false when a number is missing; the channel is then broken. */
  receive(seq: number, changes: readonly Change[]): boolean;
  /** A sign of life with the last number sent. @returns false when one was missed. */
  hear(seq: number): boolean;
  /** The channel is gone: everything cached is dropped, and short-lived until it is back. */
  break(): void;
  /** Whether the sender has been silent for too long. */
  isSilent(): boolean;
  isWhole(): boolean;
}

export function createChangeFeed({ clock }: { readonly clock: Clock }): ChangeFeed {
  const local = createLocalChanges();
  let lastSeq: number | undefined;
  let heardAtMs = Number.NEGATIVE_INFINITY;

  const isSilent = (): boolean => clock.monotonicMs() - heardAtMs > SILENCE_MS_MAX;
  // Asked at every use, not noted by a timer: a process that was stopped for seconds has run no timer when it wakes,
  // and must not serve what it cached before.
  const isWhole = (): boolean => lastSeq !== undefined && !isSilent();

  function lose(): void {
    lastSeq = undefined;
    local.lose();
  }

  return {
    onChange: local.onChange,
    onLost: local.onLost,
    lifetimeMsMax: () => (isWhole() ? Number.POSITIVE_INFINITY : BROKEN_LIFETIME_MS),
    isSilent,
    isWhole,
    begin(seq) {
      lastSeq = seq;
      heardAtMs = clock.monotonicMs();
      local.lose();
    },
    receive(seq, changes) {
      if (lastSeq === undefined || seq !== lastSeq + 1) {
        lose();
        return false;
      }
      for (const change of changes) local.publish(change);
      lastSeq = seq;
      heardAtMs = clock.monotonicMs();
      return true;
    },
    hear(seq) {
      if (seq !== lastSeq) {
        lose();
        return false;
      }
      heardAtMs = clock.monotonicMs();
      return true;
    },
    break() {
      if (lastSeq !== undefined) lose();
    },
  };
}
