import assert from 'node:assert/strict';
import fc from 'fast-check';
import { createRecordTime, parseTime, printTime } from '../../src/audit/stamp.ts';
import { createManualClock, DAY_MS, HOUR_MS } from '../../src/base/index.ts';

describe('the time of records', () => {
  it('never goes back, whatever the wall clock does (A-17)', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: -DAY_MS, max: DAY_MS }), fc.nat(5000))), (moves) => {
        const clock = createManualClock();
        const time = createRecordTime(clock);
        let last = time.nowUs();
        for (const [jump, wait] of moves) {
          clock.set(clock.nowMs() + jump);
          clock.advance(wait);
          const now = time.nowUs();
          assert.ok(now >= last);
          last = now;
        }
      }),
    );
  });

  it('goes on at its own pace after a step back of an hour, and tells of it once (A-17)', () => {
    const clock = createManualClock();
    const time = createRecordTime(clock);
    const before = time.nowUs();
    clock.set(clock.nowMs() - HOUR_MS);
    clock.advance(1000);
    assert.equal(time.nowUs(), before + 1_000_000);
    assert.equal(time.takeStep(), -HOUR_MS);
    clock.advance(1000);
    assert.equal(time.nowUs(), before + 2_000_000);
    assert.equal(time.takeStep(), undefined);
  });

  it('follows a step forward and tells of it once (A-17)', () => {
    const clock = createManualClock();
    const time = createRecordTime(clock);
    clock.advance(10);
    clock.set(clock.nowMs() + 10 * 365 * DAY_MS);
    assert.equal(time.nowUs(), clock.nowMs() * 1000);
    assert.equal(time.takeStep(), 10 * 365 * DAY_MS);
    assert.equal(time.takeStep(), undefined);
  });

  it('says nothing of small corrections', () => {
    const clock = createManualClock();
    const time = createRecordTime(clock);
    for (let round = 0; round < 50; round += 1) {
      clock.advance(1000);
      clock.set(clock.nowMs() - 20);
      time.nowUs();
      assert.equal(time.takeStep(), undefined);
    }
  });

  it('begins at the newest time of the log when the clock is behind it', () => {
    const clock = createManualClock();
    const newest = (clock.nowMs() + HOUR_MS) * 1000;
    assert.equal(createRecordTime(clock, newest).nowUs(), newest);
  });

  it('is printed with microseconds and read back', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4_000_000_000_000_000 }), (us) => {
        assert.match(printTime(us), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
        assert.equal(parseTime(printTime(us)), us);
      }),
    );
  });
});
