import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  authorize,
  type Grant,
  grantScopes,
  holdsCatalog,
  type Principal,
  parseAction,
  parseScopes,
  printScope,
  REPOSITORY_ACTIONS,
  type Scope,
  scopeActions,
} from '../../src/roles/index.ts';
import { arbitraryGrants, arbitraryScopes, grant, repository } from './fixtures.ts';

const NOW_MS = 1_000_000;
const ann: Principal = { kind: 'user', id: 'u1', name: 'ann' };

function parsed(...texts: string[]): readonly string[] {
  const result = parseScopes(texts);
  assert.ok(result.ok);
  return result.scopes.map(printScope);
}

describe('the scopes of a token request', () => {
  it('T-19 are split at spaces and at repeated parameters', () => {
    const expected = ['repository:pub/app:pull', 'repository:secret/app:pull,push'];
    assert.deepEqual(parsed('repository:pub/app:pull repository:secret/app:pull,push'), expected);
    assert.deepEqual(parsed('repository:pub/app:pull', 'repository:secret/app:pull,push'), expected);
  });

  it('T-19 merge when they name the same repository', () => {
    assert.deepEqual(parsed('repository:a:pull repository:b:pull', 'repository:a:push,pull'), [
      'repository:a:pull,push',
      'repository:b:pull',
    ]);
  });

  it('T-19 are left out when the name holds a host and a port', () => {
    assert.deepEqual(parsed('repository:host:5000/pub/app:pull'), []);
  });

  it('T-19 are left out when they carry a class or an unknown type', () => {
    assert.deepEqual(
      parsed('repository(plugin):x:pull', 'Repository:x:pull', 'project:x:pull', 'registry:x:*'),
      [],
    );
  });

  it('T-19 skip an action that is empty', () => {
    assert.deepEqual(parsed('repository:pub/app:pull,,push'), ['repository:pub/app:pull,push']);
  });

  it('keep the catalog', () => {
    assert.deepEqual(parsed('registry:catalog:*'), ['registry:catalog:*']);
  });

  for (const name of ['Pub/App', '*', 'pub/*', '../x', 'a//b', 'a/', '/a', 'a'.repeat(256), "x' OR 1=1"]) {
    it(`T-19 are left out when the name is ${JSON.stringify(name.slice(0, 20))}`, () => {
      const result = parseScopes([`repository:${name}:pull`]);
      assert.ok(!result.ok || result.scopes.length === 0);
    });
  }

  for (const text of [
    'repository:pub/app:',
    'repository:pub/app:,',
    'repository',
    'repository:pub/app',
    ':',
    '::',
    ':a:pull',
    'repository::pull',
    'pull',
  ]) {
    it(`T-19 are a problem, not silence, when one is ${JSON.stringify(text.slice(0, 30))}`, () => {
      const result = parseScopes([text]);
      assert.ok(!result.ok);
      assert.match(result.problem, /repository:team\/app:pull,push/);
    });
  }

  it('are none when nothing is asked (a login probe)', () => {
    assert.deepEqual(parsed(), []);
    assert.deepEqual(parsed('', '  '), []);
  });

  it('are refused when there are more than 50 or 2500 characters', () => {
    assert.equal(parseScopes([Array(51).fill('repository:a:pull').join(' ')]).ok, false);
    assert.equal(parseScopes([Array(50).fill('repository:a:pull').join(' ')]).ok, true);
    assert.equal(parseScopes([`repository:${'a'.repeat(2500)}:pull`]).ok, false);
  });

  it('survive printing and parsing', () => {
    const one = fc.record({
      name: fc.constantFrom('a', 'a/b', 'lab/x'),
      actions: fc.uniqueArray(fc.constantFrom('pull', 'push', 'delete', '*'), { minLength: 1 }),
    });
    fc.assert(
      fc.property(one, ({ name, actions }) => {
        const text = printScope({ type: 'repository', name, actions });
        assert.deepEqual(parsed(text), [text]);
      }),
    );
  });
});

describe('the words of a scope', () => {
  for (const [words, expected] of [
    [['pull'], ['list', 'pull', 'quarantine.read']],
    [['push'], ['push', 'referrers.push', 'tag.create', 'tag.overwrite']],
    [['delete'], ['delete']],
    [
      ['*'],
      ['delete', 'list', 'pull', 'push', 'quarantine.read', 'referrers.push', 'tag.create', 'tag.overwrite'],
    ],
    [['toString', 'scan', ''], []],
  ] as const) {
    it(`"${words.join(',')}" stand for ${expected.join(', ') || 'nothing'}`, () => {
      assert.deepEqual([...scopeActions(words)].toSorted(), expected);
    });
  }

  it('reach the catalog only by the exact scope', () => {
    assert.equal(holdsCatalog(undefined), true);
    assert.equal(holdsCatalog([{ type: 'registry', name: 'catalog', actions: ['*'] }]), true);
    assert.equal(holdsCatalog([{ type: 'registry', name: 'catalog', actions: ['pull'] }]), false);
    assert.equal(holdsCatalog([{ type: 'repository', name: 'catalog', actions: ['*'] }]), false);
    assert.equal(holdsCatalog([]), false);
  });
});

describe('a word', () => {
  it('is an action only when it is one of ours', () => {
    assert.equal(parseAction('pull'), 'pull');
    assert.equal(parseAction('audit.read'), 'audit.read');
    for (const text of ['', 'Pull', 'everything', '__proto__', '*'])
      assert.equal(parseAction(text), undefined);
  });
});

describe('what a token may hold', () => {
  const granted = (asked: string, grants: readonly Grant[], principal = ann) => {
    const result = parseScopes([asked]);
    assert.ok(result.ok);
    return grantScopes({ principal, requested: result.scopes, grants, nowMs: NOW_MS }).map(printScope);
  };

  for (const [asked, grants, expected] of [
    [
      'repository:pub/app:pull,push',
      [grant({ role: 'reader', pattern: 'pub/**' })],
      ['repository:pub/app:pull'],
    ],
    ['repository:secret/app:pull,push', [grant({ role: 'reader', pattern: 'pub/**' })], []],
    [
      'repository:secret/app:pull repository:pub/app:pull',
      [grant({ role: 'reader', pattern: 'pub/**' })],
      ['repository:pub/app:pull'],
    ],
    ['repository:pub/app:*', [grant({ role: 'developer' })], ['repository:pub/app:pull,push']],
    ['repository:pub/app:*', [grant({ role: 'admin' })], ['repository:pub/app:pull,push,delete']],
    ['repository:pub/app:pull', [grant({ role: 'auditor' })], []],
    ['repository:pub/app:sudo', [grant({ role: 'admin' })], []],
    [
      'repository:a:pull',
      [grant({ role: 'reader' }), grant({ role: 'reader', pattern: 'a', effect: 'deny' })],
      [],
    ],
    ['repository:a:pull', [grant({ role: 'reader', untilMs: NOW_MS })], []],
    ['registry:catalog:*', [grant({ role: 'reader', pattern: 'a' })], ['registry:catalog:*']],
    ['registry:catalog:*', [], []],
    ['registry:catalog:*', [grant({ role: 'auditor' })], []],
    ['registry:catalog:pull', [grant({ role: 'admin' })], []],
  ] as const) {
    it(`T-18 is [${expected.join(' ')}] when ${asked} is asked`, () => {
      assert.deepEqual(granted(asked, grants), expected);
    });
  }

  it('is all that was asked for whoever may open the server socket', () => {
    const local: Principal = { kind: 'local', id: 'local', name: 'local' };
    assert.deepEqual(granted('repository:a:* registry:catalog:*', [], local), [
      'repository:a:pull,push,delete',
      'registry:catalog:*',
    ]);
  });

  it('T-18 never allows what the grants alone would not', () => {
    fc.assert(
      fc.property(arbitraryGrants, arbitraryScopes, (grants, requested) => {
        const scopes = grantScopes({ principal: ann, requested, grants, nowMs: NOW_MS });
        for (const action of REPOSITORY_ACTIONS) {
          for (const name of ['a', 'a/b', 'a/b/c', 'lab/x', 'b']) {
            const ask = { principal: ann, grants, action, repository: repository(name), nowMs: NOW_MS };
            const withToken = authorize({ ...ask, scopes });
            assert.equal(
              withToken.isAllowed,
              authorize({ ...ask, scopes: undefined }).isAllowed && isAsked(requested, action, name),
            );
          }
        }
      }),
    );
  });
});

function isAsked(
  requested: readonly Scope[],
  action: (typeof REPOSITORY_ACTIONS)[number],
  name: string,
): boolean {
  return requested.some(
    (scope) => scope.type === 'repository' && scope.name === name && scopeActions(scope.actions).has(action),
  );
}
