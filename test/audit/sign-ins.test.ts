import assert from 'node:assert/strict';
import type { AccessRecord } from '../../src/audit/index.ts';
import { SignInWatch } from '../../src/audit/sign-ins.ts';

const START_MS = Date.parse('2026-03-02T09:00:00Z');
let seq = 0;

interface Try {
  readonly minute: number;
  readonly name?: string;
  readonly address?: string;
  readonly isRobot?: boolean;
  readonly fails?: boolean;
}

function record({ minute, name = 'alice', address = '10.0.0.1', isRobot = false, fails = false }: Try) {
  seq += 1;
  const time = new Date(START_MS + minute * 60_000).toISOString().replace('Z', '000Z');
  const common: Pick<
    AccessRecord,
    'v' | 'id' | 'time' | 'node' | 'writer' | 'seq' | 'kind' | 'requestId' | 'action' | 'client'
  > = {
    v: 1,
    ...{ id: `r${seq}`, time, node: 'n', writer: 'w', seq, requestId: 'q' },
    kind: 'decision',
    ...{ action: 'sign-in', client: { address } },
  };
  const result: AccessRecord = fails
    ? { ...common, outcome: 'refused', status: 401, reason: 'sign-in.password', note: `as ${name}` }
    : {
        ...{ ...common, outcome: 'allowed', status: 200 },
        principal: { kind: isRobot ? 'robot' : 'user', id: name, name, via: isRobot ? 'robot' : 'basic' },
      };
  return result;
}

function rulesOf(tries: readonly Try[]): readonly string[] {
  const watch = new SignInWatch();
  return tries.flatMap((each) => watch.look(record(each))).map(({ rule }) => rule);
}

const times = (count: number, at: (index: number) => Try) => Array.from({ length: count }, (_, i) => at(i));
const day = 24 * 60;

describe('what is strange about a sign-in', () => {
  for (const [what, tries, expected] of [
    ['nothing: the first one of all', [{ minute: 0 }], []],
    ['nothing: the same address again', [{ minute: 0 }, { minute: 1 }], []],
    ['a new address', [{ minute: 0 }, { minute: 1, address: '10.0.0.2' }], ['new-address']],
    [
      'nothing: another name from there',
      [{ minute: 0 }, { minute: 1, name: 'bob', address: '10.9.0.2' }],
      [],
    ],
    [
      'nothing: a robot from its network',
      [
        { minute: 0, isRobot: true },
        { minute: 1, isRobot: true, address: '10.0.0.77' },
      ],
      [],
    ],
    [
      'a robot from another network',
      [
        { minute: 0, isRobot: true },
        { minute: 1, isRobot: true, address: '10.0.1.1' },
      ],
      ['new-network'],
    ],
    [
      'ten failures within ten minutes, for the address and for the name',
      times(10, (index) => ({ minute: index * 0.5, fails: true })),
      ['failure-burst', 'failure-burst'],
    ],
    ['nothing: nine of them', times(9, (index) => ({ minute: index * 0.5, fails: true })), []],
    ['nothing: ten over two hours', times(10, (index) => ({ minute: index * 12, fails: true })), []],
    [
      'many names from one address',
      times(10, (index) => ({ minute: index * 0.5, fails: true, name: `u${index}` })),
      ['failure-burst'],
    ],
    [
      'a success after five failures',
      [...times(5, (index) => ({ minute: index, fails: true })), { minute: 6 }],
      ['success-after-failures'],
    ],
    ['nothing: after four', [...times(4, (index) => ({ minute: index, fails: true })), { minute: 6 }], []],
    ['nothing: hours later', [...times(5, (index) => ({ minute: index, fails: true })), { minute: 90 }], []],
    [
      'an hour that was never one of it',
      [...times(20, (index) => ({ minute: index * day })), { minute: 20 * day + 12 * 60 }],
      ['unusual-hour'],
    ],
    [
      'nothing: the hour beside',
      [...times(20, (index) => ({ minute: index * day })), { minute: 20 * day + 60 }],
      [],
    ],
    [
      'nothing: its hours are not known yet',
      [...times(19, (index) => ({ minute: index * day })), { minute: 19 * day + 12 * 60 }],
      [],
    ],
  ] as const satisfies readonly (readonly [string, readonly Try[], readonly string[]])[]) {
    it(`is ${what}`, () => assert.deepEqual(rulesOf(tries), expected));
  }

  it('says in words why', () => {
    const watch = new SignInWatch();
    watch.look(record({ minute: 0 }));
    const [found] = watch.look(record({ minute: 1, address: '::1' }));
    assert.equal(found?.why, '1 other addresses were known of it before');
    assert.deepEqual([found?.principal, found?.address], ['alice', '::1']);
  });
});
