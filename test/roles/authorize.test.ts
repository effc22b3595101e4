import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parseRepository } from '../../src/oci/index.ts';
import {
  type Action,
  type Authorization,
  authorize,
  BUILT_IN_ROLES,
  type Grant,
  type Principal,
  REPOSITORY_ACTIONS,
  type Scope,
  SYSTEM_ACTIONS,
} from '../../src/roles/index.ts';
import { arbitraryGrants, arbitraryScopes, grant, repository } from './fixtures.ts';

const NOW_MS = 1_000_000;
const ann: Principal = { kind: 'user', id: 'u1', name: 'ann' };

function ask(
  action: Action,
  name: string | undefined,
  grants: readonly Grant[],
  scopes?: readonly Scope[],
): Authorization {
  return authorize({
    principal: ann,
    grants,
    scopes,
    action,
    repository: name === undefined ? undefined : parseRepository(name),
    nowMs: NOW_MS,
  });
}

function verdictOf(answer: Authorization): string {
  return answer.isAllowed ? 'yes' : answer.lacks;
}

describe('a decision about a built-in role', () => {
  const MAY: Readonly<Record<string, readonly Action[]>> = {
    reader: ['pull', 'list'],
    developer: [
      'pull',
      'list',
      'push',
      'tag.create',
      'tag.overwrite',
      'referrers.push',
      'scan',
      'verdict.read',
    ],
    maintainer: [
      ...([
        'pull',
        'list',
        'push',
        'tag.create',
        'tag.overwrite',
        'referrers.push',
        'scan',
        'verdict.read',
      ] as const),
      ...(['delete', 'waive', 'roles.manage'] as const),
    ],
    auditor: ['audit.read', 'verdict.read'],
    admin: [...REPOSITORY_ACTIONS.filter((action) => action !== 'quarantine.read'), ...SYSTEM_ACTIONS],
  };
  for (const role of BUILT_IN_ROLES) {
    for (const action of [...REPOSITORY_ACTIONS, ...SYSTEM_ACTIONS]) {
      const isIn = MAY[role.name]?.includes(action) === true;
      it(`lets ${role.name} on ** ${isIn ? '' : 'not '}do ${action}`, () => {
        assert.equal(
          verdictOf(ask(action, 'team/app', [grant({ role: role.name })])),
          isIn ? 'yes' : 'grant',
        );
      });
    }
  }
});

/** Role and pattern of each grant (`-` before the role: deny), action, repository, expected. */
const ROWS: readonly (readonly [string, Action, string | undefined, string])[] = [
  ['', 'pull', 'team/app', 'grant'],
  ['reader team/**', 'pull', 'team/app', 'yes'],
  ['reader team/**', 'pull', 'team/a/b', 'yes'],
  ['reader team/**', 'pull', 'evilteam/app', 'grant'],
  ['reader team/**', 'pull', 'team', 'grant'],
  ['reader team/*', 'pull', 'team/a/b', 'grant'],
  ['reader team/app', 'pull', 'team/app', 'yes'],
  ['reader team/app', 'pull', 'team/apps', 'grant'],
  ['reader team/app', 'push', 'team/app', 'grant'],
  ['reader **,!lab/**', 'pull', 'lab/x', 'grant'],
  ['reader **,!lab/**', 'pull', 'team/app', 'yes'],
  ['reader **,!lab/**;reader lab/x', 'pull', 'lab/x', 'yes'],
  ['reader a/*;developer b/*', 'push', 'a/x', 'grant'],
  ['reader a/*;developer b/*', 'push', 'b/x', 'yes'],
  ['developer **;-reader secret/**', 'pull', 'secret/x', 'denied'],
  ['developer **;-reader secret/**', 'push', 'secret/x', 'yes'],
  ['-reader secret/**;developer **', 'pull', 'secret/x', 'denied'],
  ['-developer secret/**;developer **', 'push', 'secret/x', 'denied'],
  ['-developer secret/**;developer **', 'push', 'open/x', 'yes'],
  ['-developer secret/**;developer **', 'delete', 'secret/x', 'grant'],
  ['-admin **;admin **', 'pull', 'a/b', 'denied'],
  ['-admin **;admin **', 'system', undefined, 'denied'],
  ['-admin lab/**;admin **', 'system', undefined, 'yes'],
  ['-reader **', 'pull', 'a', 'denied'],
  ['-reader a', 'pull', 'b', 'grant'],
  ['admin **', 'system', undefined, 'yes'],
  ['admin **', 'users.manage', undefined, 'yes'],
  ['admin **', 'system', 'team/app', 'yes'],
  ['admin *', 'system', undefined, 'grant'],
  ['admin team/**', 'system', undefined, 'grant'],
  ['admin team/**', 'users.manage', undefined, 'grant'],
  ['admin team/**', 'policy.manage', undefined, 'grant'],
  ['admin **,!lab/**', 'system', undefined, 'grant'],
  ['admin **/**', 'system', undefined, 'grant'],
  ['auditor **', 'audit.read', undefined, 'yes'],
  ['auditor team/**', 'audit.read', undefined, 'grant'],
  ['auditor team/**', 'verdict.read', 'team/app', 'yes'],
  ['auditor team/**', 'verdict.read', 'other/app', 'grant'],
  ['auditor **', 'pull', 'team/app', 'grant'],
  ['reader **', 'pull', undefined, 'grant'],
  ['admin **', 'pull', undefined, 'grant'],
  ['maintainer team/**', 'roles.manage', 'team/app', 'yes'],
  ['maintainer team/**', 'roles.manage', 'other/app', 'grant'],
  ['maintainer team/**', 'users.manage', undefined, 'grant'],
  ['reader team*', 'pull', 'team-evil/x', 'grant'],
  ['reader team*', 'pull', 'team-evil', 'yes'],
  ['reader /team/', 'pull', 'team', 'grant'],
  ['reader .*', 'pull', 'team/app', 'grant'],
  ['-reader /team/;reader **', 'pull', 'other/app', 'denied'],
  ['-admin (broken;admin **', 'system', undefined, 'denied'],
];

describe('a decision', () => {
  for (const [grants, action, name, expected] of ROWS) {
    it(`T-20 is "${expected}" for ${action} on ${name ?? 'the system'} with [${grants}]`, () => {
      const parsed = grants
        .split(';')
        .filter((text) => text !== '')
        .map((text) => {
          const [role = '', pattern = ''] = text.split(' ');
          return role.startsWith('-')
            ? grant({ role: role.slice(1), pattern, effect: 'deny' })
            : grant({ role, pattern });
        });
      assert.equal(verdictOf(ask(action, name, parsed)), expected);
      assert.equal(verdictOf(ask(action, name, parsed.toReversed())), expected);
    });
  }

  for (const [fromMs, untilMs, expected] of [
    [undefined, NOW_MS, 'grant'],
    [undefined, NOW_MS + 1, 'yes'],
    [undefined, NOW_MS - 1, 'grant'],
    [NOW_MS, undefined, 'yes'],
    [NOW_MS + 1, undefined, 'grant'],
    [NOW_MS - 1, NOW_MS + 1, 'yes'],
    [NOW_MS, NOW_MS, 'grant'],
  ] as const) {
    it(`is "${expected}" at ${NOW_MS} for a grant from ${fromMs} until ${untilMs}`, () => {
      const times = {
        ...(fromMs === undefined ? {} : { fromMs }),
        ...(untilMs === undefined ? {} : { untilMs }),
      };
      assert.equal(verdictOf(ask('pull', 'a', [grant({ role: 'reader', ...times })])), expected);
    });
  }

  it('is no longer "denied" once the deny grant is over', () => {
    const deny = grant({ role: 'reader', effect: 'deny', untilMs: NOW_MS });
    assert.equal(verdictOf(ask('pull', 'a', [deny, grant({ role: 'reader' })])), 'yes');
  });

  it('names the grant with the smallest id, whatever the order', () => {
    const grants = ['g3', 'g1', 'g2'].map((id) => grant({ id, role: 'reader' }));
    for (const order of [grants, grants.toReversed()]) {
      const answer = ask('pull', 'a', order);
      assert.ok(answer.isAllowed && answer.because !== 'local');
      assert.equal(answer.because.id, 'g1');
    }
  });

  it('is always yes for whoever may open the server socket', () => {
    for (const action of [...REPOSITORY_ACTIONS, ...SYSTEM_ACTIONS]) {
      const answer = authorize({
        principal: { kind: 'local', id: 'local', name: 'local' },
        grants: [grant({ role: 'admin', effect: 'deny' })],
        scopes: undefined,
        action,
        repository: undefined,
        nowMs: NOW_MS,
      });
      assert.deepEqual(answer, { isAllowed: true, because: 'local' });
    }
  });
});

describe('a decision about a request with a token', () => {
  const admin = [grant({ role: 'admin' })];
  const ROWS_WITH_SCOPE: readonly (readonly [string, Scope, Action, string])[] = [
    ['T-15', { type: 'repository', name: 'pub/app', actions: ['pull'] }, 'pull', 'yes'],
    ['T-15', { type: 'repository', name: 'pub/app', actions: ['pull'] }, 'list', 'yes'],
    ['T-15', { type: 'repository', name: 'pub/app', actions: ['pull'] }, 'push', 'scope'],
    ['T-15', { type: 'repository', name: 'pub/app', actions: ['pull'] }, 'tag.create', 'scope'],
    ['T-15', { type: 'repository', name: 'pub/app', actions: ['pull'] }, 'delete', 'scope'],
    ['T-15', { type: 'repository', name: 'other/app', actions: ['pull'] }, 'list', 'scope'],
    ['T-15', { type: 'repository', name: 'pub/app', actions: ['push'] }, 'push', 'yes'],
    ['T-15', { type: 'repository', name: 'pub/app', actions: ['push'] }, 'tag.overwrite', 'yes'],
    ['T-15', { type: 'repository', name: 'pub/app', actions: ['push'] }, 'referrers.push', 'yes'],
    ['T-15', { type: 'repository', name: 'pub/app', actions: ['push'] }, 'pull', 'scope'],
    ['T-15', { type: 'repository', name: 'pub/app', actions: ['delete'] }, 'delete', 'yes'],
    ['T-15', { type: 'repository', name: 'pub/app', actions: ['delete'] }, 'pull', 'scope'],
    ['T-15', { type: 'repository', name: 'pub/app', actions: ['*'] }, 'delete', 'yes'],
    ['T-15', { type: 'repository', name: 'pub/app', actions: ['*'] }, 'waive', 'scope'],
    ['T-15', { type: 'repository', name: 'pub/app', actions: ['*'] }, 'system', 'scope'],
    ['T-17', { type: 'repository', name: '*', actions: ['pull'] }, 'pull', 'scope'],
    ['T-17', { type: 'repository', name: 'pub/*', actions: ['pull'] }, 'pull', 'scope'],
    ['T-17', { type: 'repository', name: '**', actions: ['pull'] }, 'pull', 'scope'],
    ['T-17', { type: 'Repository', name: 'pub/app', actions: ['pull'] }, 'pull', 'scope'],
    ['T-17', { type: 'repository(plugin)', name: 'pub/app', actions: ['pull'] }, 'pull', 'scope'],
    ['T-17', { type: 'repository', name: 'pub/app', actions: ['Pull'] }, 'pull', 'scope'],
    ['T-17', { type: 'repository', name: 'pub/app', actions: ['pull,push'] }, 'pull', 'scope'],
    ['T-17', { type: 'repository', name: 'pub/app', actions: ['scan'] }, 'scan', 'scope'],
    ['T-17', { type: 'repository', name: 'pub/app', actions: ['constructor', '__proto__'] }, 'pull', 'scope'],
    ['T-17', { type: 'registry', name: 'catalog', actions: ['*'] }, 'system', 'scope'],
    ['T-17', { type: 'registry', name: 'pub/app', actions: ['*'] }, 'pull', 'scope'],
  ];
  for (const [threat, scope, action, expected] of ROWS_WITH_SCOPE) {
    it(`${threat} is "${expected}" for an admin's ${action} with ${JSON.stringify(scope)}`, () => {
      assert.equal(verdictOf(ask(action, 'pub/app', admin, [scope])), expected);
    });
  }

  it('lacks the grant, not the scope, when no grant would give the action', () => {
    assert.equal(verdictOf(ask('push', 'pub/app', [grant({ role: 'reader' })], [])), 'grant');
  });

  it('lacks the scope when it holds none at all', () => {
    assert.equal(verdictOf(ask('pull', 'pub/app', admin, [])), 'scope');
  });
});

describe('decisions', () => {
  const question = fc.record({
    grants: arbitraryGrants,
    action: fc.constantFrom(...REPOSITORY_ACTIONS, ...SYSTEM_ACTIONS),
    name: fc.constantFrom('a', 'a/b', 'a/b/c', 'lab/x', 'b'),
    scopes: fc.option(arbitraryScopes, { nil: undefined }),
  });
  const isAllowed = (
    grants: readonly Grant[],
    q: { action: Action; name: string; scopes: readonly Scope[] | undefined },
  ) => ask(q.action, q.name, grants, q.scopes).isAllowed;

  it('are never turned to yes by one more deny grant', () => {
    fc.assert(
      fc.property(question, arbitraryGrants, (q, more) => {
        const denies = more.map((one) => ({ ...one, effect: 'deny' as const }));
        return isAllowed(q.grants, q) || !isAllowed([...q.grants, ...denies], q);
      }),
    );
  });

  it('are never turned to yes by taking away an allow grant', () => {
    fc.assert(
      fc.property(question, fc.nat(), (q, seed) => {
        const allows = q.grants.filter((one) => one.effect === 'allow');
        const gone = allows[seed % Math.max(1, allows.length)];
        return (
          isAllowed(q.grants, q) ||
          !isAllowed(
            q.grants.filter((one) => one !== gone),
            q,
          )
        );
      }),
    );
  });

  it('do not depend on the order of the grants', () => {
    fc.assert(
      fc.property(question, fc.infiniteStream(fc.nat()), (q, random) => {
        const shuffled = q.grants
          .map((one) => ({ one, key: random.next().value ?? 0 }))
          .toSorted((a, b) => a.key - b.key)
          .map(({ one }) => one);
        assert.deepEqual(
          ask(q.action, q.name, shuffled, q.scopes),
          ask(q.action, q.name, q.grants, q.scopes),
        );
      }),
    );
  });

  it('are never turned to yes by a token', () => {
    fc.assert(
      fc.property(
        question,
        (q) => !isAllowed(q.grants, q) || isAllowed(q.grants, { ...q, scopes: undefined }),
      ),
    );
  });

  it('read a repository only from a name that was parsed', () => {
    assert.equal(parseRepository('Team/App'), undefined);
    assert.equal(repository('team/app'), 'team/app');
  });
});
