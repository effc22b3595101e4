import type { Clock } from '../base/index.ts';
import type { Digest } from '../oci/index.ts';

/** Who waits for which scan, and how long scans take. */
export interface ScanWaiters {
  /** The digest is queued or being scanned from now on. */
  expect(digest: Digest): void;
  /** Its scan has begun. */
  begin(digest: Digest): void;
  /** Its scan is over, with or without a result; everybody who waits is told. */
  end(digest: Digest): void;
  wait(digest: Digest, waitMsMax: number): Promise<{ readonly isDone: boolean; readonly restMs: number }>;
  /** What was expected, or begun, and has not ended. */
  expected(): readonly Digest[];
  /** Nobody waits any longer. */
  close(): void;
}

/** What the first scan is taken to last, in milliseconds, until one has been measured. */
const FIRST_GUESS_MS = 5000;
/** Weight of the newest scan in the running mean. */
const NEWEST = 0.3;

export function createScanWaiters(
  { concurrency }: { readonly concurrency: number },
  { clock }: { readonly clock: Clock },
): ScanWaiters {
  const startedAtMs = new Map<Digest, number | undefined>();
  const waiting = new Map<Digest, Set<() => void>>();
  let meanMs = FIRST_GUESS_MS;

  function restMs(digest: Digest): number {
    const startedMs = startedAtMs.get(digest);
    if (startedMs !== undefined) return Math.max(0, meanMs - (clock.monotonicMs() - startedMs));
    const queuedCount = [...startedAtMs.keys()].indexOf(digest) + 1;
    return meanMs * Math.ceil(Math.max(1, queuedCount) / concurrency);
  }

  function end(digest: Digest): void {
    const startedMs = startedAtMs.get(digest);
    if (startedMs !== undefined) meanMs += NEWEST * (clock.monotonicMs() - startedMs - meanMs);
    startedAtMs.delete(digest);
    for (const wake of waiting.get(digest) ?? []) wake();
    waiting.delete(digest);
  }

  return {
    expect(digest) {
      if (!startedAtMs.has(digest)) startedAtMs.set(digest, undefined);
    },
    begin: (digest) => void startedAtMs.set(digest, clock.monotonicMs()),
    end,
    expected: () => [...startedAtMs.keys()],
    close() {
      for (const digest of [...waiting.keys()]) end(digest);
    },
    wait(digest, waitMsMax) {
      // Not expected (any more): it ended between the caller's question for it and this one.
      if (!startedAtMs.has(digest)) return Promise.resolve({ isDone: true, restMs: 0 });
      if (waitMsMax <= 0) return Promise.resolve({ isDone: false, restMs: restMs(digest) });
      return new Promise((resolve) => {
        const waiters = waiting.get(digest) ?? new Set();
        waiting.set(digest, waiters);
        const wake = (): void => {
          clearTimeout(timer);
          resolve({ isDone: true, restMs: 0 });
        };
        const timer = setTimeout(() => {
          waiters.delete(wake);
          resolve({ isDone: false, restMs: restMs(digest) });
        }, waitMsMax);
        waiters.add(wake);
      });
    },
  };
}
