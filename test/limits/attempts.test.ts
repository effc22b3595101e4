import assert from 'node:assert/strict';
import { createManualClock } from '../../src/base/index.ts';
import { createAttemptCounter, DEFAULT_ATTEMPT_OPTIONS } from '../../src/limits/index.ts';

function setUp(options = DEFAULT_ATTEMPT_OPTIONS) {
  const clock = createManualClock();
  return { clock, counter: createAttemptCounter(options, { clock }) };
}

describe('the counter of attempts to sign in', () => {
  it('C-01 lets the first five tries of an account from a source through and delays the sixth', () => {
    const { counter } = setUp();
    for (let tries = 0; tries < 5; tries++) {
      assert.equal(counter.delayMs('ann', 's'), 0);
      counter.failed('ann', 's');
    }
    assert.equal(counter.delayMs('ann', 's'), 1000);
  });

  it('C-01 doubles the delay with every wrong password, up to five minutes', () => {
    const { clock, counter } = setUp();
    const delays: number[] = [];
    for (let tries = 0; tries < 16; tries++) {
      counter.failed('ann', 's');
      const delay = counter.delayMs('ann', 's');
      delays.push(delay);
      clock.advance(delay + 60_000);
    }
    assert.deepEqual(delays.slice(4, 8), [1000, 2000, 4000, 8000]);
    assert.equal(Math.max(...delays), 300_000);
  });

  it('C-01 lets one try through for each delay, not all that wait for its end', () => {
    const { clock, counter } = setUp();
    for (let tries = 0; tries < 6; tries++) counter.failed('ann', 's');
    clock.advance(2000);
    assert.equal(counter.delayMs('ann', 's'), 0);
    assert.equal(counter.delayMs('ann', 's'), 2000);
  });

  it('C-01 refuses one password tried over 500 accounts from one source', () => {
    const { counter } = setUp();
    const letIn = Array.from({ length: 500 }, (_, index) => {
      const delay = counter.delayMs(`user${index}`, 's');
      if (delay === 0) counter.failed(`user${index}`, 's');
      return delay;
    }).filter((delay) => delay === 0);
    assert.equal(letIn.length, 30);
  });

  it('C-01 refuses one account tried from 50 sources', () => {
    const { counter } = setUp();
    const letIn = Array.from({ length: 50 }, (_, index) => {
      const delay = counter.delayMs('ann', `s${index}`);
      if (delay === 0) counter.failed('ann', `s${index}`);
      return delay;
    }).filter((delay) => delay === 0);
    assert.equal(letIn.length, 30);
    assert.ok(counter.delayMs('ann', 'new') > 0);
  });

  it('C-01 does not lock an account out at a source from which it signed in before', () => {
    const { counter } = setUp();
    counter.succeeded('ann', 'home');
    for (let index = 0; index < 200; index++) {
      counter.failed('ann', `s${index}`);
      counter.failed(`user${index}`, 'home');
    }
    assert.equal(counter.delayMs('ann', 'home'), 0);
    assert.ok(counter.delayMs('ann', 'elsewhere') > 0);
    assert.ok(counter.delayMs('bob', 'home') > 0);
  });

  it('C-01 delays guesses from a known source as from any other', () => {
    const { counter } = setUp();
    counter.succeeded('ann', 'home');
    for (let tries = 0; tries < 5; tries++) counter.failed('ann', 'home');
    assert.equal(counter.delayMs('ann', 'home'), 1000);
  });

  it('forgets that a source is known after thirty days', () => {
    const { clock, counter } = setUp();
    counter.succeeded('ann', 'home');
    clock.advance(DEFAULT_ATTEMPT_OPTIONS.knownMs);
    for (let index = 0; index < 30; index++) counter.failed('ann', `s${index}`);
    assert.ok(counter.delayMs('ann', 'home') > 0);
  });

  it('begins anew after a right password', () => {
    const { clock, counter } = setUp();
    for (let tries = 0; tries < 8; tries++) counter.failed('ann', 's');
    clock.advance(60_000);
    counter.succeeded('ann', 's');
    counter.failed('ann', 's');
    assert.equal(counter.delayMs('ann', 's'), 0);
  });

  it('begins anew after an hour without a wrong password', () => {
    const { clock, counter } = setUp();
    for (let tries = 0; tries < 20; tries++) counter.failed('ann', 's');
    clock.advance(DEFAULT_ATTEMPT_OPTIONS.forgetMs);
    assert.equal(counter.delayMs('ann', 's'), 0);
    counter.failed('ann', 's');
    assert.equal(counter.delayMs('ann', 's'), 0);
  });

  it('keeps a refused source waiting no longer than one token takes', () => {
    const { clock, counter } = setUp();
    for (let index = 0; index < 1000; index++) counter.failed(`user${index}`, 's');
    const delay = counter.delayMs('new', 's');
    assert.equal(delay, 6000);
    clock.advance(delay);
    assert.equal(counter.delayMs('new', 's'), 0);
  });

  it('holds no more entries than its bound, the oldest forgotten first', () => {
    const { counter } = setUp({ ...DEFAULT_ATTEMPT_OPTIONS, entriesMax: 10 });
    for (let tries = 0; tries < 6; tries++) counter.failed('ann', 's');
    for (let index = 0; index < 10; index++) counter.failed(`user${index}`, `t${index}`);
    assert.equal(counter.delayMs('ann', 's'), 0);
    for (let tries = 0; tries < 6; tries++) counter.failed('bob', 's');
    assert.ok(counter.delayMs('bob', 's') > 0);
  });
});
