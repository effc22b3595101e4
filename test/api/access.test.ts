import assert from 'node:assert/strict';
import type { ExplanationShape, HeldShape } from '../../src/api/index.ts';
import { DAY_MS } from '../../src/base/index.ts';
import { type ApiLab, openApiLab } from './lab.ts';

describe('who can do what, and who holds what', () => {
  let lab: ApiLab;
  const ids: Record<string, string> = {};

  before(async () => {
    lab = await openApiLab();
    const { accounts } = lab.store;
    ids.ann = await lab.addUser('ann', ['developer', 'team/**']);
    ids.bob = await lab.addUser('bob');
    ids.eve = await lab.addUser('eve', ['reader', '**']);
    await lab.addRobot('ci', ['reader', 'team/app']);
    await accounts.addGroup({ id: 'g', name: 'crew' });
    await accounts.joinGroup('crew', 'bob');
    await lab.grant({ kind: 'group', name: 'crew' }, [['reader', 'team/app']]);
    await lab.grant({ kind: 'anonymous', name: '' }, [['reader', 'public/**']]);
    await accounts.addGrant({
      ...{ role: 'reader', pattern: 'team/secret', effect: 'deny' },
      subject: { kind: 'user', name: 'ann' },
    });
    await accounts.addGrant({
      ...{ role: 'developer', pattern: 'team/old', effect: 'allow', untilMs: lab.clock.nowMs() },
      subject: { kind: 'user', name: 'bob' },
    });
  });
  after(() => lab.close());

  const whoCan = async (action: string, repository: string) => {
    const query = new URLSearchParams({ action, repository });
    const { body } = await lab.call('get', `/api/v1/access/who-can?${query}`);
    const all: readonly {
      kind: string;
      name: string;
      because: { role: string; subject: { kind: string } };
    }[] = body.principals;
    return all.map(
      ({ kind, name, because }) => `${kind} ${name}: ${because.role} as ${because.subject.kind}`,
    );
  };

  it('names each principal that may, with the grant: its own, of a group, of everybody', async () => {
    assert.deepEqual(await whoCan('pull', 'team/app'), [
      'user admin: admin as user',
      'user ann: developer as user',
      'user bob: reader as group',
      'user eve: reader as user',
      'robot ci: reader as robot',
    ]);
    assert.deepEqual((await whoCan('pull', 'public/x')).at(-1), 'anonymous anonymous: reader as anonymous');
    assert.ok((await whoCan('pull', 'public/x')).includes('user bob: reader as anonymous'));
  });

  it('leaves out who is denied, disabled, or whose grant or life is over', async () => {
    assert.ok(!(await whoCan('pull', 'team/secret')).some((one) => one.includes(' ann:')));
    assert.ok(!(await whoCan('push', 'team/old')).some((one) => one.includes(' bob:')));
    await lab.call('post', '/api/v1/users/eve/disable');
    assert.ok(!(await whoCan('pull', 'team/app')).some((one) => one.includes(' eve:')));
    await lab.call('post', '/api/v1/users/eve/enable');
    lab.clock.advance(DAY_MS);
    assert.ok(!(await whoCan('pull', 'team/app')).some((one) => one.includes(' ci:')));
  });

  it('says in a review since when each holds what, and when it was last of use', async () => {
    const time = new Date(lab.clock.nowMs()).toISOString();
    const record = (index: number, name: string, action: string, repository?: string) => ({
      index,
      record: {
        ...{
          v: 1 as const,
          id: `r${index}`,
          time,
          node: 'n',
          writer: 'w',
          seq: index,
          kind: 'decision' as const,
        },
        ...{ requestId: `q${index}`, action, outcome: 'allowed' as const, status: 200 },
        principal: { kind: 'user', id: ids[name] ?? '', name, via: 'basic' as const },
        ...(repository === undefined ? {} : { repository }),
      },
    });
    await lab.store.recordIndex.append([
      record(0, 'ann', 'push', 'team/app'),
      record(1, 'eve', 'push', 'team/app'),
      record(2, 'eve', 'catalog'),
      record(3, 'bob', 'pull', 'public/x'),
    ]);
    const held = async () => {
      const { body } = await lab.call('get', '/api/v1/access/review?days=90');
      const all: readonly HeldShape[] = body.held;
      return all
        .filter(({ name }) => name !== 'admin')
        .map(
          ({ name, by, grant, lastUsed, isUnused }) =>
            `${name} ${grant.effect} ${grant.role} ${grant.on} by ${by}, ${grant.state}: ` +
            `${lastUsed === undefined ? 'never' : 'used'}${isUnused ? ', unused' : ''}`,
        )
        .toSorted();
    };
    const expected = [
      'ann allow developer team/** by itself, live: used',
      'ann allow reader public/** by everybody, live: never, unused',
      'ann deny reader team/secret by itself, live: never',
      'anonymous allow reader public/** by itself, live: never, unused',
      'bob allow developer team/old by itself, ended: never, unused',
      'bob allow reader public/** by everybody, live: used',
      'bob allow reader team/app by group crew, live: never, unused',
      'ci allow reader public/** by everybody, live: never, unused',
      'ci allow reader team/app by itself, live: never, unused',
      'eve allow reader ** by itself, live: used',
      'eve allow reader public/** by everybody, live: used',
    ];
    assert.deepEqual(await held(), expected);
    lab.clock.advance(91 * DAY_MS);
    assert.deepEqual(
      await held(),
      expected.map((line) => line.replace(/: used$/, ': used, unused')),
    );
  });

  it('explains with every grant about it, which decides, and what a token would hold', async () => {
    const explain = async (principal: string, repository: string, scope?: string) => {
      const query = new URLSearchParams({
        principal,
        action: 'pull',
        repository,
        ...(scope ? { scope } : {}),
      });
      const { body, status } = await lab.call('get', `/api/v1/explain?${query}`);
      assert.equal(status, 200, JSON.stringify(body));
      const { isAllowed, grants, steps }: ExplanationShape = body;
      return {
        isAllowed,
        grants: grants.map(
          ({ effect, on, state, decides }) => `${effect} ${on} ${state}${decides ? ' *' : ''}`,
        ),
        last: steps.at(-1),
      };
    };
    const denied = await explain('ann', 'team/secret');
    assert.equal(denied.isAllowed, false);
    assert.deepEqual(denied.grants.toSorted(), ['allow team/** live', 'deny team/secret live *']);
    assert.deepEqual((await explain('bob', 'team/old')).grants, ['allow team/old ended']);
    const other = await explain('ann', 'team/app', 'repository:team/lib:pull');
    assert.equal(other.isAllowed, false);
    assert.match(
      other.last?.text ?? '',
      /^a token for repository:team\/lib:pull does not hold pull on team\/app/,
    );
    assert.equal((await explain('ann', 'team/app', 'repository:team/app:pull')).isAllowed, true);
    const malformed = '/api/v1/explain?principal=ann&action=pull&repository=a&scope=pull';
    assert.equal((await lab.call('get', malformed)).status, 400);
  });
});
