import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type Bucket, fullBucket, isFull, takeToken, waitMs } from '../../src/limits/index.ts';

const OPTIONS = { burst: 3, perSecond: 2 };

describe('a token bucket', () => {
  it('gives its burst at once and then one token for each of its periods', () => {
    let bucket: Bucket = fullBucket(OPTIONS, 0);
    for (let taken = 0; taken < 3; taken++) {
      assert.equal(waitMs(bucket, OPTIONS, 0), 0);
      bucket = takeToken(bucket, OPTIONS, 0);
    }
    assert.equal(waitMs(bucket, OPTIONS, 0), 500);
    assert.equal(waitMs(bucket, OPTIONS, 499), 1);
    assert.equal(waitMs(bucket, OPTIONS, 500), 0);
  });

  it('never holds more than its burst, however long it waits', () => {
    const empty: Bucket = { tokens: 0, atMs: 0 };
    assert.equal(isFull(empty, OPTIONS, 1499), false);
    assert.equal(isFull(empty, OPTIONS, 1500), true);
    let bucket = takeToken(empty, OPTIONS, 1e9);
    bucket = takeToken(bucket, OPTIONS, 1e9);
    bucket = takeToken(bucket, OPTIONS, 1e9);
    assert.ok(waitMs(bucket, OPTIONS, 1e9) > 0);
  });

  it('gains nothing from a clock that goes back', () => {
    assert.equal(waitMs({ tokens: 0, atMs: 1000 }, OPTIONS, 0), 500);
  });

  it('never lets through more than burst + rate × time', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 1000 }), { maxLength: 100 }), (gaps) => {
        let nowMs = 0;
        let passed = 0;
        let bucket = fullBucket(OPTIONS, 0);
        for (const gap of gaps) {
          nowMs += gap;
          if (waitMs(bucket, OPTIONS, nowMs) > 0) continue;
          passed += 1;
          bucket = takeToken(bucket, OPTIONS, nowMs);
        }
        return passed <= OPTIONS.burst + (nowMs / 1000) * OPTIONS.perSecond + 1e-6;
      }),
    );
  });
});
