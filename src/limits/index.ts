/** How much is too much: token buckets, attempts to sign in. Pure; time is handed in. Entered by auth/, cluster/, gateway/, api/. */

export type { AttemptCounter, AttemptOptions } from './attempts.ts';
export { createAttemptCounter, DEFAULT_ATTEMPT_OPTIONS } from './attempts.ts';
export type { Bucket, BucketOptions } from './bucket.ts';
export { fullBucket, isFull, takeToken, waitMs } from './bucket.ts';
export { sourceOf } from './source.ts';
export type { Allowance, Excess, Tally } from './tally.ts';
export { excessOf, newTally, renewTally, WINDOW_MS } from './tally.ts';
