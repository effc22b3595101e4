import assert from 'node:assert/strict';
import {
  type Action,
  type Authorization,
  type AuthorizeRequest,
  authorize,
  type Grant,
  type GrantSubject,
  type Principal,
  type Scope,
} from '../../src/roles/index.ts';
import { grant, repository } from './fixtures.ts';

/**
 * Who, with which grants, on what, may do what, and which grant decides. Each cell of the table is one row: `a1` is
 * allowed by the first grant, `d2` denied by the second, `s1` given by the first but not held by the token, `--` no
 * grant gives it.
 */
const NOW_MS = 1_000_000;

const ACTIONS = {
  pull: 'pull',
  list: 'list',
  push: 'push',
  crea: 'tag.create',
  over: 'tag.overwrite',
  refs: 'referrers.push',
  dele: 'delete',
  scan: 'scan',
  waiv: 'waive',
  verd: 'verdict.read',
  quar: 'quarantine.read',
  role: 'roles.manage',
  audi: 'audit.read',
  poli: 'policy.manage',
  user: 'users.manage',
  syst: 'system',
} as const satisfies Record<string, Action>;

const PRINCIPALS: Readonly<Record<string, readonly [Principal, GrantSubject]>> = {
  ann: [
    { kind: 'user', id: 'u1', name: 'ann' },
    { kind: 'user', id: 'u1', name: 'ann' },
  ],
  // Bob's grants come to him by his group.
  bob: [
    { kind: 'user', id: 'u2', name: 'bob' },
    { kind: 'group', id: 'g1', name: 'crew' },
  ],
  ci: [
    { kind: 'robot', id: 'r1', name: 'ci' },
    { kind: 'robot', id: 'r1', name: 'ci' },
  ],
  nobody: [
    { kind: 'anonymous', id: '', name: 'anonymous' },
    { kind: 'anonymous', id: '', name: 'anonymous' },
  ],
};

const CUSTOM: Readonly<Record<string, readonly Action[]>> = {
  creator: ['push', 'tag.create'],
  overwriter: ['tag.overwrite'],
  signer: ['referrers.push'],
  inspector: ['quarantine.read', 'pull'],
  operator: ['system', 'policy.manage'],
  everything: Object.values(ACTIONS),
  nothing: [],
};

interface Case {
  readonly who: keyof typeof PRINCIPALS;
  /** `-ROLE` denies; `@n` ends and `+n` begins n ms from now. */
  readonly grants: readonly string[];
  /** `pull,push team/app`: of the token; absent: none limits the caller. */
  readonly token?: readonly string[];
  /** A cell for each action, in the order of HEAD; the last four are asked of the whole installation. */
  readonly rows: Readonly<Record<string, string>>;
}

const HEAD = 'pull list push crea over refs dele scan waiv verd quar role audi poli user syst';
const CASES: readonly Case[] = [
  {
    who: 'ann',
    grants: [],
    rows: { 'team/app': '--   --   --   --   --   --   --   --   --   --   --   --   --   --   --   --' },
  },
  {
    who: 'ann',
    grants: ['reader team/**'],
    rows: {
      //           pull list push crea over refs dele scan waiv verd quar role audi poli user syst
      'team/app': 'a1   a1   --   --   --   --   --   --   --   --   --   --   --   --   --   --',
      'team/a/b': 'a1   a1   --   --   --   --   --   --   --   --   --   --   --   --   --   --',
      team: '      --   --   --   --   --   --   --   --   --   --   --   --   --   --   --   --',
      'teams/app': '--  --   --   --   --   --   --   --   --   --   --   --   --   --   --   --',
    },
  },
  {
    who: 'bob',
    grants: ['developer team/*', 'reader **'],
    rows: {
      //           pull list push crea over refs dele scan waiv verd quar role audi poli user syst
      'team/app': 'a1   a1   a1   a1   a1   a1   --   a1   --   a1   --   --   --   --   --   --',
      'team/a/b': 'a2   a2   --   --   --   --   --   --   --   --   --   --   --   --   --   --',
      'other/x': ' a2   a2   --   --   --   --   --   --   --   --   --   --   --   --   --   --',
    },
  },
  {
    who: 'bob',
    grants: ['maintainer team/**', '-reader team/secret/**'],
    rows: {
      //               pull list push crea over refs dele scan waiv verd quar role audi poli user syst
      'team/app': '     a1   a1   a1   a1   a1   a1   a1   a1   a1   a1   --   a1   --   --   --   --',
      'team/secret': '  a1   a1   a1   a1   a1   a1   a1   a1   a1   a1   --   a1   --   --   --   --',
      'team/secret/x': 'd2   d2   a1   a1   a1   a1   a1   a1   a1   a1   --   a1   --   --   --   --',
    },
  },
  {
    // The same, the other way round: order never matters.
    who: 'bob',
    grants: ['-reader team/secret/**', 'maintainer team/**'],
    rows: {
      'team/secret/x': 'd1   d1   a2   a2   a2   a2   a2   a2   a2   a2   --   a2   --   --   --   --',
    },
  },
  {
    who: 'ann',
    grants: ['admin **'],
    rows: {
      //           pull list push crea over refs dele scan waiv verd quar role audi poli user syst
      'team/app': 'a1   a1   a1   a1   a1   a1   a1   a1   a1   a1   --   a1   a1   a1   a1   a1',
    },
  },
  {
    who: 'ann',
    grants: ['admin team/**', 'auditor **'],
    rows: {
      //           pull list push crea over refs dele scan waiv verd quar role audi poli user syst
      'team/app': 'a1   a1   a1   a1   a1   a1   a1   a1   a1   a1   --   a1   a2   --   --   --',
      'other/x': ' --   --   --   --   --   --   --   --   --   a2   --   --   a2   --   --   --',
    },
  },
  {
    who: 'ann',
    grants: ['admin **', '-auditor **', '-operator lab/**'],
    rows: {
      //           pull list push crea over refs dele scan waiv verd quar role audi poli user syst
      'team/app': 'a1   a1   a1   a1   a1   a1   a1   a1   a1   d2   --   a1   d2   a1   a1   a1',
    },
  },
  {
    who: 'ann',
    grants: ['admin **,!lab/**'],
    rows: {
      //           pull list push crea over refs dele scan waiv verd quar role audi poli user syst
      'team/app': 'a1   a1   a1   a1   a1   a1   a1   a1   a1   a1   --   a1   --   --   --   --',
      'lab/x': '   --   --   --   --   --   --   --   --   --   --   --   --   --   --   --   --',
    },
  },
  {
    who: 'ci',
    grants: ['creator team/app', 'signer team/**'],
    rows: {
      //           pull list push crea over refs dele scan waiv verd quar role audi poli user syst
      'team/app': '--   --   a1   a1   --   a2   --   --   --   --   --   --   --   --   --   --',
      'team/lib': '--   --   --   --   --   a2   --   --   --   --   --   --   --   --   --   --',
    },
  },
  {
    who: 'ci',
    grants: ['inspector team/** @1', 'reader team/app @0', 'overwriter team/app +1', 'nothing **'],
    rows: {
      //           pull list push crea over refs dele scan waiv verd quar role audi poli user syst
      'team/app': 'a1   --   --   --   --   --   --   --   --   --   a1   --   --   --   --   --',
      'other/x': ' --   --   --   --   --   --   --   --   --   --   --   --   --   --   --   --',
    },
  },
  {
    who: 'ci',
    grants: ['everything **', '-inspector team/** @0', '-creator team/** +1', '-signer team/** @1'],
    rows: {
      //           pull list push crea over refs dele scan waiv verd quar role audi poli user syst
      'team/app': 'a1   a1   a1   a1   a1   d4   a1   a1   a1   a1   a1   a1   a1   a1   a1   a1',
      'other/x': ' a1   a1   a1   a1   a1   a1   a1   a1   a1   a1   a1   a1   a1   a1   a1   a1',
    },
  },
  {
    who: 'nobody',
    grants: ['reader public/**', '-reader public/internal/**,!public/internal/open'],
    rows: {
      //                      pull list push crea over refs dele scan waiv verd quar role audi poli user syst
      'public/app': '          a1   a1   --   --   --   --   --   --   --   --   --   --   --   --   --   --',
      'public/internal/x': '   d2   d2   --   --   --   --   --   --   --   --   --   --   --   --   --   --',
      'public/internal/open': 'a1   a1   --   --   --   --   --   --   --   --   --   --   --   --   --   --',
      'private/app': '         --   --   --   --   --   --   --   --   --   --   --   --   --   --   --   --',
    },
  },
  {
    // A token narrows; what no grant gives it does not lack, but the grant.
    who: 'ann',
    grants: ['maintainer team/**', 'inspector team/**'],
    token: ['pull team/app'],
    rows: {
      //           pull list push crea over refs dele scan waiv verd quar role audi poli user syst
      'team/app': 'a1   a1   s1   s1   s1   s1   s1   s1   s1   s1   a2   s1   --   --   --   --',
      'team/lib': 's1   s1   s1   s1   s1   s1   s1   s1   s1   s1   s2   s1   --   --   --   --',
      'other/x': ' --   --   --   --   --   --   --   --   --   --   --   --   --   --   --   --',
    },
  },
  {
    who: 'bob',
    grants: ['admin **'],
    token: ['push,delete team/app', '* team/lib'],
    rows: {
      //           pull list push crea over refs dele scan waiv verd quar role audi poli user syst
      'team/app': 's1   s1   a1   a1   a1   a1   a1   s1   s1   s1   --   s1   s1   s1   s1   s1',
      'team/lib': 'a1   a1   a1   a1   a1   a1   a1   s1   s1   s1   --   s1   s1   s1   s1   s1',
      'team/x': '  s1   s1   s1   s1   s1   s1   s1   s1   s1   s1   --   s1   s1   s1   s1   s1',
    },
  },
  {
    // A deny is named also where the token would not hold it.
    who: 'ci',
    grants: ['developer **', '-developer team/app'],
    token: ['pull team/app', 'pull team/lib'],
    rows: {
      //           pull list push crea over refs dele scan waiv verd quar role audi poli user syst
      'team/app': 'd2   d2   d2   d2   d2   d2   --   d2   --   d2   --   --   --   --   --   --',
      'team/lib': 'a1   a1   s1   s1   s1   s1   --   s1   --   s1   --   --   --   --   --   --',
    },
  },
  {
    who: 'ann',
    grants: ['reader (broken', '-overwriter (broken', 'developer team/app'],
    rows: {
      //           pull list push crea over refs dele scan waiv verd quar role audi poli user syst
      'team/app': 'a3   a3   a3   a3   d2   a3   --   a3   --   a3   --   --   --   --   --   --',
    },
  },
];

describe('of every principal, grant set, repository and action, the decision and its reason', () => {
  let count = 0;
  for (const { who, grants, token, rows } of CASES) {
    for (const [name, line] of Object.entries(rows)) {
      const cells = line.trim().split(/ +/);
      const held = token === undefined ? '' : ` and a token for [${token.join('; ')}]`;
      it(`are as written for ${who} with [${grants.join('; ')}]${held} on ${name}`, () => {
        const columns = HEAD.split(' ');
        assert.equal(cells.length, columns.length);
        const [principal, subject] = PRINCIPALS[who] ?? [];
        assert.ok(principal && subject);
        const read = grants.map((text, index) => readGrant(text, index, subject));
        for (const [index, column] of columns.entries()) {
          const action = Object.entries(ACTIONS).find(([short]) => short === column)?.[1];
          assert.ok(action);
          const ask: Omit<AuthorizeRequest, 'grants'> = {
            principal,
            action,
            nowMs: NOW_MS,
            repository: index < 12 ? repository(name) : undefined,
            scopes: token?.map(readScope),
          };
          assert.equal(print(authorize({ ...ask, grants: read })), cells[index], `${action} on ${name}`);
          assert.equal(print(authorize({ ...ask, grants: read.toReversed() })), cells[index]);
        }
      });
      count += cells.length;
    }
  }

  it('are at least 300', () => {
    assert.ok(count >= 300, String(count));
  });
});

function readGrant(text: string, index: number, subject: GrantSubject): Grant {
  const [word = '', pattern = '', time = ''] = text.split(' ');
  const role = word.replace('-', '');
  const atMs = NOW_MS + Number(time.slice(1));
  return grant({
    id: String(index + 1),
    role,
    subject,
    pattern,
    effect: word.startsWith('-') ? 'deny' : 'allow',
    ...(CUSTOM[role] ? { actions: CUSTOM[role] } : {}),
    ...(time.startsWith('@') ? { untilMs: atMs } : {}),
    ...(time.startsWith('+') ? { fromMs: atMs } : {}),
  });
}

function readScope(text: string): Scope {
  const [actions = '', name = ''] = text.split(' ');
  return { type: 'repository', name, actions: actions.split(',') };
}

function print(answer: Authorization): string {
  const because = answer.because === 'local' ? '' : (answer.because?.id ?? '-');
  if (answer.isAllowed) return `a${because}`;
  return `${{ denied: 'd', scope: 's', grant: '-' }[answer.lacks]}${because}`;
}
