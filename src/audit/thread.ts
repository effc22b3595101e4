/** A thread that checks ranges of bundles one after the other, as `bundle-threads.ts` hands them out. */
import { parentPort } from 'node:worker_threads';
import { type BundleRange, checkBundles } from './bundles.ts';

parentPort?.on('message', (range: BundleRange) => {
  parentPort?.postMessage(checkBundles(range) ?? null);
});
