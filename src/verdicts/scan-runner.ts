import { type Clock, type Logger, MINUTE_MS, SECOND_MS } from '../base/index.ts';
import { type Digest, type Repository, shortDigest } from '../oci/index.ts';
import type {
  FactReads,
  FactWrites,
  ScanJob,
  ScanJobs,
  Scanner,
  ScanRequests,
  ScanStatus,
  ScanTargets,
} from './ports.ts';
import { createRescans } from './rescans.ts';
import { ATTEMPTS_MAX, attemptScan, type Ending, saveUnscannable } from './scan-attempt.ts';
import { createScanWaiters } from './scan-waiters.ts';
import { createScannerVersions } from './scanner-versions.ts';

export interface ScanRunnerOptions {
  /** Scans at once. One place is kept free of re-scans where there are several. */
  readonly concurrency?: number;
  /** Longest run of one scanner over one manifest, in milliseconds; what takes longer cannot be scanned. */
  readonly scanMsMax?: number;
  /** How often to look for jobs whose time has come, in milliseconds. */
  readonly pollMs?: number;
  /** Whether other replicas take from the same queue. */
  readonly isShared?: boolean;
}

export interface ScanRunnerParts {
  readonly jobs: ScanJobs;
  readonly scanners: readonly Scanner[];
  readonly targets: ScanTargets;
  /** Digests that somebody got lately, the last one first: re-scanned first. */
  readonly listPulled?: () => Promise<readonly Digest[]>;
  readonly facts: Pick<
    FactReads,
    'findFacts' | 'listPolicies' | 'listScannedBefore' | 'listScannedByOther' | 'countScanned'
  > &
    Pick<FactWrites, 'seeDigest' | 'saveReport'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Takes scans from the queue and does them; lives in the housekeeping process. */
export interface ScanRunner {
  /** What this and other processes call to ask for scans and to wait for them. */
  readonly requests: ScanRequests;
  start(): void;
  /** Facts have changed: where another replica did a scan, whoever waits for it here is told. */
  heard(): void;
  /** Queues a scan of everything whose last scan is half as old as the strictest policy allows. */
  queueRescans(): Promise<void>;
  /** Ends the scans under way; they stay in the queue. */
  close(): Promise<void>;
}

const CONCURRENCY = 2;
const SCAN_MS_MAX = 10 * MINUTE_MS;
const POLL_MS = SECOND_MS;
const RESCAN_EVERY_MS = MINUTE_MS;
/** A job whose process died is taken up again after this long. */
const LEASE_MS = 30 * SECOND_MS;
const RETRY_MS_MIN = SECOND_MS;
const RETRY_MS_MAX = MINUTE_MS;

export function createScanRunner(options: ScanRunnerOptions, parts: ScanRunnerParts): ScanRunner {
  const { jobs, scanners, clock, logger } = parts;
  const concurrency = options.concurrency ?? CONCURRENCY;
  const waiters = createScanWaiters({ concurrency }, { clock });
  const stop = new AbortController();
  const limits = { scanMsMax: options.scanMsMax ?? SCAN_MS_MAX, stop: stop.signal };
  const running = new Map<Digest, Promise<void>>();
  const begun = new Map<Digest, { readonly repository: Repository; readonly atMs: number }>();
  const versions = createScannerVersions(scanners, parts);
  /** Asked for, and perhaps not in the queue yet. */
  const queueing = new Set<Digest>();
  let lookingForOthers: Promise<void> | undefined;
  let poll: NodeJS.Timeout | undefined;
  let taking: Promise<void> | undefined;
  let isAskedAgain = false;
  let rescanAtMs = Number.NEGATIVE_INFINITY;

  const requests: ScanRequests = {
    isOffered: (name) => (name === '*' ? scanners.length > 0 : scanners.some((one) => one.name === name)),
    async request(repository, digest, priority) {
      // Expected before it is queued: its scan may be over before `put` returns.
      waiters.expect(digest);
      queueing.add(digest);
      try {
        await jobs.put({ repository, digest, priority }, clock.nowMs());
      } finally {
        queueing.delete(digest);
      }
      wake();
    },
    wait: (digest, waitMsMax) => waiters.wait(digest, waitMsMax),
    status,
  };
  const queueRescans = createRescans(scanners, {
    ...{ listPulled: async () => [], ...parts },
    ...{ versions, requests },
  });

  async function status(): Promise<ScanStatus> {
    return {
      queued: await jobs.count(),
      running: [...begun].map(([digest, { repository, atMs }]) => ({
        ...{ repository, digest },
        forMs: clock.monotonicMs() - atMs,
      })),
      scanners: await Promise.all(
        scanners.map(async ({ name, version }) => {
          const now = versions.of(name);
          return { name, ...now, ...(await parts.facts.countScanned(name, now.version ?? version)) };
        }),
      ),
    };
  }

  /** Fills the free places. Never twice at once: the second would take more jobs than there are places. */
  function wake(): void {
    if (poll === undefined || stop.signal.aborted) return;
    isAskedAgain = true;
    taking ??= takeWhileAsked().finally(() => {
      taking = undefined;
    });
  }

  async function takeWhileAsked(): Promise<void> {
    try {
      while (isAskedAgain) {
        isAskedAgain = false;
        await takeJobs();
      }
    } catch (error) {
      logger.error('the scan queue cannot be used; the next look is soon', {}, error);
    }
  }

  async function takeJobs(): Promise<void> {
    while (running.size < concurrency && !stop.signal.aborted) {
      const job = await jobs.take(clock.nowMs(), LEASE_MS);
      if (!job) return;
      // Its hold ran out while this process was too busy to renew it; taking it has renewed it.
      if (running.has(job.digest)) continue;
      if (job.priority === 'rescan' && running.size >= Math.max(1, concurrency - 1)) {
        return jobs.hold(job.digest, 0);
      }
      const done = run(job).finally(() => {
        running.delete(job.digest);
        begun.delete(job.digest);
        wake();
      });
      running.set(job.digest, done);
      begun.set(job.digest, { repository: job.repository, atMs: clock.monotonicMs() });
    }
  }

  async function run(job: ScanJob): Promise<void> {
    waiters.begin(job.digest);
    try {
      await settle(job, await holding(job, attemptScan(job, limits, parts)));
    } catch (error) {
      // The queue or the facts are away; the hold runs out and the job is taken again.
      logger.error('the end of a scan could not be noted', { digest: shortDigest(job.digest) }, error);
    }
  }

  /** Renews the hold on the job until the attempt has ended, and no longer: it is given back after that. */
  async function holding(job: ScanJob, attempt: Promise<Ending>): Promise<Ending> {
    const renewal = setInterval(() => {
      jobs.hold(job.digest, clock.nowMs() + LEASE_MS).catch((error: unknown) => {
        logger.warn('a scan job could not be held on to', { digest: job.digest, reason: String(error) });
      });
    }, LEASE_MS / 3);
    return attempt.finally(() => clearInterval(renewal));
  }

  async function settle(job: ScanJob, ending: Ending): Promise<void> {
    if (ending.kind === 'stopped') return jobs.hold(job.digest, 0);
    if (ending.kind === 'index') {
      for (const { digest } of ending.children) await requests.request(job.repository, digest, job.priority);
    } else if (ending.kind !== 'finished') {
      const isLast = job.attempts + 1 >= ATTEMPTS_MAX;
      logger.warn(isLast ? 'a scan failed for the last time' : 'a scan failed and will be tried again', {
        repository: job.repository,
        digest: shortDigest(job.digest),
        reason: String(ending.error),
      });
      if (!isLast) return jobs.retry(job.digest, clock.nowMs() + retryMs(job.attempts));
      // After a fault the image is as unscanned as before, and the next pull asks anew.
      if (ending.kind === 'trouble') {
        await saveUnscannable(ending.scanner, job.digest, troubleText(ending.error), parts);
      }
    }
    await jobs.finish(job.digest);
    waiters.end(job.digest);
  }

  function heard(): void {
    if (options.isShared !== true) return;
    lookingForOthers ??= endDoneByOthers()
      .catch((error: unknown) => logger.debug('the scan queue was not read', { reason: String(error) }))
      .finally(() => {
        lookingForOthers = undefined;
      });
  }

  /** What is expected here and no longer in the queue, another replica has done. */
  async function endDoneByOthers(): Promise<void> {
    const isOurs = (digest: Digest): boolean => running.has(digest) || queueing.has(digest);
    const expected = waiters.expected().filter((digest) => !isOurs(digest));
    if (expected.length === 0) return;
    const queued = new Set(await jobs.among(expected));
    for (const digest of expected) if (!queued.has(digest) && !isOurs(digest)) waiters.end(digest);
  }

  function tick(): void {
    wake();
    heard();
    if (clock.monotonicMs() - rescanAtMs < RESCAN_EVERY_MS) return;
    rescanAtMs = clock.monotonicMs();
    queueRescans().catch((error: unknown) => logger.error('no re-scan could be queued', {}, error));
  }

  return {
    requests,
    queueRescans,
    heard,
    start() {
      poll = setInterval(tick, options.pollMs ?? POLL_MS);
      tick();
    },
    async close() {
      clearInterval(poll);
      stop.abort();
      await taking;
      await lookingForOthers;
      await Promise.all(running.values());
      waiters.close();
    },
  };
}

function retryMs(attempts: number): number {
  return Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 4 ** attempts);
}

/** What a scanner stumbled over may quote the image, so people are told only its kind. */
function troubleText(error: unknown): string {
  const isTimeout = error instanceof Error && error.name === 'TimeoutError';
  return isTimeout ? 'the scan took too long' : 'the scanner failed at it';
}
