import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  createLocalChanges,
  createManualClock,
  createSingleFlight,
  DAY_MS,
  newId,
  parseBytes,
  parseDuration,
  printDuration,
  silentLogger,
  systemClock,
  systemRandom,
} from '../../src/base/index.ts';

describe('a duration', () => {
  for (const [text, ms] of [
    ['0ms', 0],
    ['250ms', 250],
    ['20s', 20_000],
    ['5m', 300_000],
    ['12h', 43_200_000],
    [' 7d ', 7 * DAY_MS],
    ['2w', 14 * DAY_MS],
  ] as const) {
    it(`reads "${text}"`, () => assert.equal(parseDuration(text), ms));
  }
  for (const text of [
    '',
    '5',
    's',
    '-5s',
    '5 s',
    '1.5h',
    '5S',
    '5y',
    '5s5m',
    '1e3s',
    '9999999999999s',
    '999999999999w',
  ]) {
    it(`never reads "${text}"`, () => assert.equal(parseDuration(text), undefined));
  }
  it('reads back what it prints', () => {
    fc.assert(fc.property(fc.nat(), (ms) => assert.equal(parseDuration(printDuration(ms)), ms)));
  });
  it('prints the largest unit that divides it', () => {
    assert.deepEqual([90_000, 7 * DAY_MS, 1, 0, 3_600_000].map(printDuration), [
      '90s',
      '7d',
      '1ms',
      '0ms',
      '1h',
    ]);
  });
});

describe('a size', () => {
  for (const [text, bytes] of [
    ['0', 0],
    ['1048576', 1_048_576],
    ['512 KiB', 524_288],
    ['4MiB', 4_194_304],
    ['2gib', 2_147_483_648],
    ['1TiB', 1_099_511_627_776],
    ['7B', 7],
  ] as const) {
    it(`reads "${text}"`, () => assert.equal(parseBytes(text), bytes));
  }
  for (const text of ['', '-1', '1.5MiB', '4MB', '4M', '1e6', '0x10', 'MiB', '999999999999999GiB']) {
    it(`never reads "${text}"`, () => assert.equal(parseBytes(text), undefined));
  }
});

describe('randomness', () => {
  it('never gives the same bytes twice, nor shares memory, however much is taken at once', () => {
    const seen = new Set<string>();
    for (const count of [16, 32, 64, 65, 5000]) {
      for (let time = 0; time < 500; time += 1) {
        const bytes = systemRandom.bytes(count);
        assert.equal(bytes.length, count);
        assert.equal(bytes.byteOffset === 0 || count > 64, true);
        seen.add(Buffer.from(bytes).toString('latin1'));
      }
    }
    assert.equal(seen.size, 5 * 500);
  });
  it('leaves what was taken as it is when more is taken', () => {
    const first = systemRandom.bytes(16);
    const copy = Uint8Array.from(first);
    for (let time = 0; time < 1000; time += 1) systemRandom.bytes(16);
    assert.deepEqual(first, copy);
    assert.ok(first.some((byte) => byte !== 0));
  });
});

describe('an identifier', () => {
  it('has 26 characters that are safe in URLs and file names', () => {
    for (let i = 0; i < 100; i += 1) assert.match(newId(systemRandom), /^[a-z2-7]{26}$/);
  });
  it('differs where its bytes differ', () => {
    const sixteen = fc.uint8Array({ minLength: 16, maxLength: 16 });
    fc.assert(
      fc.property(sixteen, sixteen, (a, b) => {
        const isSame = newId({ bytes: () => a }) === newId({ bytes: () => b });
        assert.equal(isSame, Buffer.from(a).equals(b));
      }),
    );
  });
});

describe('a single flight', () => {
  it('shares one call among simultaneous callers of a key, and starts anew afterwards', async () => {
    const flight = createSingleFlight<number>();
    let calls = 0;
    const start = async () => {
      calls += 1;
      return calls;
    };
    assert.deepEqual(
      await Promise.all([flight('a', start), flight('a', start), flight('b', start)]),
      [1, 1, 2],
    );
    assert.equal(await flight('a', start), 3);
  });

  it('never remembers a failure', async () => {
    const flight = createSingleFlight<number>();
    const both = [flight('a', () => Promise.reject(new Error('x'))), flight('a', async () => 1)];
    assert.deepEqual(
      (await Promise.allSettled(both)).map(({ status }) => status),
      ['rejected', 'rejected'],
    );
    assert.equal(await flight('a', async () => 2), 2);
  });
});

describe('local changes', () => {
  it('reach every handler at once, until it is taken away', () => {
    const changes = createLocalChanges();
    const seen: string[] = [];
    const end = changes.onChange(({ topic, key }) => seen.push(`${topic} ${key}`));
    changes.onLost(() => seen.push('lost'));
    changes.publish({ topic: 'facts', key: 'x' });
    changes.lose();
    end();
    changes.publish({ topic: 'access' });
    assert.deepEqual(seen, ['facts x', 'lost']);
    assert.equal(changes.lifetimeMsMax(), Number.POSITIVE_INFINITY);
  });

  it('reach the others when one handler throws, and are not acknowledged then', () => {
    const changes = createLocalChanges();
    const seen: string[] = [];
    changes.onChange(() => {
      throw new Error('first');
    });
    changes.onChange(() => seen.push('second'));
    assert.throws(() => changes.publish({ topic: 'access' }), /first/);
    assert.deepEqual(seen, ['second']);
  });
});

describe('clocks', () => {
  it('stand still until they are moved, in tests', () => {
    const clock = createManualClock(1000);
    clock.advance(5);
    assert.deepEqual([clock.nowMs(), clock.monotonicMs()], [1005, 5]);
    clock.set(0);
    assert.deepEqual([clock.nowMs(), clock.monotonicMs()], [0, 5]);
  });

  it('go on, in the system', () => {
    const before = systemClock.monotonicMs();
    assert.ok(systemClock.nowMs() > Date.UTC(2024));
    assert.ok(systemClock.monotonicMs() >= before);
  });
});

describe('the silent logger', () => {
  it('says nothing', () => {
    for (const level of ['debug', 'info', 'warn', 'error'] as const)
      assert.equal(silentLogger[level]('x'), undefined);
  });
});
