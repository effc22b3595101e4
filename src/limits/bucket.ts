/** How a bucket fills: it holds at most `burst` tokens and gains `perSecond` of them. */
export interface BucketOptions {
  readonly burst: number;
  readonly perSecond: number;
}

/** Tokens left at an instant of a clock that never goes back. */
export interface Bucket {
  readonly tokens: number;
  readonly atMs: number;
}

export function fullBucket(options: BucketOptions, nowMs: number): Bucket {
  return { tokens: options.burst, atMs: nowMs };
}

/** Takes one token. A bucket never goes below nothing, so that a flood is not paid for longer than it lasted. */
export function takeToken(bucket: Bucket, options: BucketOptions, nowMs: number): Bucket {
  return { tokens: Math.max(0, tokensAt(bucket, options, nowMs) - 1), atMs: nowMs };
}

/** @returns milliseconds until one token is there; 0 when one is. */
export function waitMs(bucket: Bucket, options: BucketOptions, nowMs: number): number {
  const missing = 1 - tokensAt(bucket, options, nowMs);
  // A rounding error must not cost a whole millisecond more.
  return missing <= 0 ? 0 : Math.max(0, Math.ceil((missing / options.perSecond) * 1000 - 1e-6));
}

/** Whether nothing would be lost by forgetting the bucket. */
export function isFull(bucket: Bucket, options: BucketOptions, nowMs: number): boolean {
  return tokensAt(bucket, options, nowMs) >= options.burst;
}

function tokensAt(bucket: Bucket, options: BucketOptions, nowMs: number): number {
  const gained = (Math.max(0, nowMs - bucket.atMs) / 1000) * options.perSecond;
  return Math.min(options.burst, bucket.tokens + gained);
}
