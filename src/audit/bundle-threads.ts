import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { type BundleRange, type BundleSums, checkBundles } from './bundles.ts';

/** Bundles in one range: some 16,000 records, 10 MB. */
const RANGE_BUNDLES = 64;
/** With fewer bundles than these a thread takes longer to start than all of them to check. */
const THREADS_FROM_BUNDLES = 400;

export interface BundleThreads {
  /** 1 checks in this thread. Default: one a core, and 1 for a small log. */
  readonly count?: number | undefined;
}

/**
 * Checks bundles `from` to `to` in ranges, several at once.
 *
 * @param onProgress called with the number of bundles done, in no order of theirs.
 * @returns the sums in order, or `undefined` as soon as a range is not sound.
 * @throws what a file said; a thread that cannot be had.
 */
export async function checkInThreads(
  query: BundleRange,
  { count }: BundleThreads,
  onProgress: (bundles: number) => void,
): Promise<readonly BundleSums[] | undefined> {
  const ranges = rangesOf(query);
  const wanted = count ?? (query.to - query.from < THREADS_FROM_BUNDLES ? 1 : availableParallelism());
  const checkers = openCheckers(Math.min(wanted, ranges.length));
  const sums: BundleSums[] = [];
  let next = 0;
  let done = 0;
  let isSound = true;
  const work = async (check: Check): Promise<void> => {
    while (isSound) {
      const at = next;
      const range = ranges[at];
      if (range === undefined) return;
      next += 1;
      const sum = await check(range);
      if (sum === undefined) isSound = false;
      else sums[at] = sum;
      done += range.to - range.from;
      onProgress(done);
    }
  };
  try {
    await Promise.all(checkers.all.map(work));
  } finally {
    await checkers.close();
  }
  return isSound ? sums : undefined;
}

function rangesOf(query: BundleRange): readonly BundleRange[] {
  const ranges: BundleRange[] = [];
  for (let from = query.from; from < query.to; from += RANGE_BUNDLES) {
    ranges.push({ ...query, from, to: Math.min(query.to, from + RANGE_BUNDLES) });
  }
  return ranges;
}

type Check = (range: BundleRange) => Promise<BundleSums | undefined>;

function openCheckers(count: number): { readonly all: readonly Check[]; close(): Promise<void> } {
  if (count <= 1) {
    return { all: [async (range) => checkBundles(range)], close: async () => undefined };
  }
  const program = new URL(import.meta.url.endsWith('.ts') ? './thread.ts' : './thread.js', import.meta.url);
  const workers = Array.from({ length: count }, () => new Worker(program, { env: {} }));
  return {
    all: workers.map((worker) => (range) => ask(worker, range)),
    async close() {
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}

function ask(worker: Worker, range: BundleRange): Promise<BundleSums | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<BundleSums | undefined>();
  const onMessage = (answer: BundleSums | null): void => settle(() => resolve(answer ?? undefined));
  const onError = (error: unknown): void => settle(() => reject(error));
  const onExit = (): void => settle(() => reject(new Error('a thread that verifies the log has ended')));
  const settle = (end: () => void): void => {
    worker.off('message', onMessage).off('error', onError).off('exit', onExit);
    end();
  };
  worker.on('message', onMessage).on('error', onError).on('exit', onExit);
  worker.postMessage(range);
  return promise;
}
