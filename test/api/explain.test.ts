import assert from 'node:assert/strict';
import type { ExplanationShape } from '../../src/api/index.ts';
import { DAY_MS } from '../../src/base/index.ts';
import type { Finding, Policy } from '../../src/policy/index.ts';
import { digestOf } from '../contracts/store-bench.ts';
import { type ApiLab, openApiLab } from './lab.ts';

describe('an explanation', () => {
  let lab: ApiLab;

  beforeEach(async () => {
    lab = await openApiLab();
    await lab.addUser('alice', ['developer', 'team/**']);
    await lab.addImage('team/app', '1');
  });
  afterEach(() => lab.close());

  async function explain(principal: string, action: string, repository: string, reference?: string) {
    const query = new URLSearchParams({ principal, action, repository, ...(reference ? { reference } : {}) });
    const { status, body } = await lab.call('get', `/api/v1/explain?${query}`);
    assert.equal(status, 200, JSON.stringify(body));
    const explained: ExplanationShape = body;
    return {
      isAllowed: explained.isAllowed,
      steps: explained.steps.map(({ step, isPassed, text }) => `${isPassed ? 'yes' : 'no'} ${step}: ${text}`),
    };
  }
  const policy = (rules: Policy['rules']) =>
    lab.store.facts.putPolicy({ name: 'strict', match: ['**'], mode: 'enforce', holdMs: 0, rules }, 'api');
  const report = (...findings: readonly Finding[]) =>
    lab.store.facts.saveReport({
      digest: digestOf('team/app:1'),
      scan: { by: 'inspector', atMs: lab.clock.nowMs(), version: '1', status: 'done' },
      findings,
    });

  it('goes through account, rights, digest and verdict', async () => {
    await policy({ secrets: 'block' });
    await report();
    const digest = digestOf('team/app:1');
    const { isAllowed, steps } = await explain('alice', 'pull', 'team/app', '1');
    assert.equal(isAllowed, true);
    assert.match(
      String(steps[1]),
      /^yes rights: pull on team\/app is given by grant \w+, developer on team\/\*\*$/,
    );
    assert.deepEqual(
      [steps[0], ...steps.slice(2)],
      [
        'yes account: user alice is active',
        `yes resolve: team/app:1 is ${digest}`,
        'yes verdict: every matching policy admits it',
      ],
    );
  });

  it('says that no policy matches, and that an image was not scanned', async () => {
    const unmatched = await explain('alice', 'pull', 'team/app', '1');
    assert.equal(unmatched.isAllowed, false);
    assert.match(String(unmatched.steps.at(-1)), /^no verdict: rule unmatched: /);
    await policy({ secrets: 'block', scanned: { by: ['inspector'], withinMs: DAY_MS } });
    const unscanned = await explain('alice', 'pull', 'team/app', '1');
    assert.equal(unscanned.isAllowed, false);
    assert.match(String(unscanned.steps.at(-1)), /dockgate image scan team\/app:1/);
  });

  it('says which finding blocks', async () => {
    await policy({ secrets: 'block' });
    await report({
      ...{ kind: 'secret', id: 'AWS', severity: 'critical', title: 'AWS key', by: 'inspector' },
      location: '/k',
    });
    const { isAllowed, steps } = await explain('alice', 'pull', 'team/app', '1');
    assert.equal(isAllowed, false);
    assert.match(String(steps.at(-1)), /^no verdict: policy strict, rule secrets: /);
  });

  for (const [action, role, on] of [
    ['pull', 'reader', 'secret/app'],
    ['push', 'developer', 'secret/app'],
    ['delete', 'maintainer', 'secret/app'],
    ['policy.manage', 'admin', "'\\*\\*'"],
    ['audit.read', 'auditor', "'\\*\\*'"],
  ] as const) {
    it(`names the smallest grant that would allow ${action}`, async () => {
      const { isAllowed, steps } = await explain('alice', action, 'secret/app');
      assert.equal(isAllowed, false);
      assert.match(
        String(steps.at(-1)),
        new RegExp(
          `^no rights: none .*: \`dockgate grant add --role ${role} --on ${on} --user alice\` would`,
        ),
      );
    });
  }

  it('says what is in no built-in role', async () => {
    const { steps } = await explain('alice', 'quarantine.read', 'team/app');
    assert.match(String(steps.at(-1)), /no built-in role holds quarantine\.read/);
  });

  it('names a grant that denies', async () => {
    const subject = { kind: 'user', name: 'alice' } as const;
    await lab.store.accounts.addGrant({ role: 'reader', pattern: 'team/app', subject, effect: 'deny' });
    const { isAllowed, steps } = await explain('alice', 'pull', 'team/app');
    assert.equal(isAllowed, false);
    assert.match(String(steps.at(-1)), /denied by grant \w+, reader on team\/app: remove it/);
  });

  it('says that an account is disabled, or that its life is over', async () => {
    await lab.call('post', '/api/v1/users/alice/disable');
    const disabled = await explain('alice', 'pull', 'team/app');
    assert.equal(disabled.isAllowed, false);
    assert.match(
      String(disabled.steps[0]),
      /^no account: user alice is disabled: `dockgate user enable alice`/,
    );
    await lab.addRobot('ci', ['reader', '**']);
    lab.clock.advance(DAY_MS);
    const expired = await explain('ci', 'pull', 'team/app');
    assert.equal(expired.isAllowed, false);
    assert.match(String(expired.steps[0]), /^no account: robot ci expired 2026-01-02/);
  });

  it('knows what everybody may', async () => {
    const { steps } = await explain('anonymous', 'pull', 'team/app');
    assert.equal(steps[0], 'yes account: nobody has signed in');
    assert.match(String(steps[1]), /--role reader --on team\/app --anonymous`/);
  });

  it('says that a tag is not there', async () => {
    const { isAllowed, steps } = await explain('alice', 'pull', 'team/app', '2');
    assert.deepEqual([isAllowed, steps.at(-1)], [false, 'no resolve: there is no team/app:2: push it first']);
  });

  for (const [what, query, status] of [
    ['an unknown principal', 'principal=nobody&action=pull&repository=team/app', 404],
    ['an unknown action', 'principal=alice&action=fly&repository=team/app', 400],
    ['a malformed repository', 'principal=alice&action=pull&repository=Team/..', 400],
    ['a malformed reference', 'principal=alice&action=pull&repository=team/app&reference=sha256:x', 400],
    ['nothing asked', '', 400],
  ] as const) {
    it(`is none for ${what}`, async () => {
      assert.equal((await lab.call('get', `/api/v1/explain?${query}`)).status, status);
    });
  }

  it('says what a personal token leaves of the rights, and that of a robot or one that is over', async () => {
    const body = { name: 'laptop', expires: '1h', allows: [{ actions: ['pull', 'list'], on: 'team/*' }] };
    await lab.call('post', '/api/v1/tokens', { as: 'alice', body });
    const by = async (action: string, token = 'laptop', principal = 'alice') => {
      const query = new URLSearchParams({ principal, action, repository: 'team/app', token });
      const { status, body: answer } = await lab.call('get', `/api/v1/explain?${query}`);
      const step = answer.steps?.find(({ step: name }: { step: string }) => name === 'personal token');
      return [status, answer.isAllowed, step?.text ?? answer.error.message];
    };
    assert.deepEqual(await by('pull'), [200, true, 'token laptop may pull+list on team/*']);
    const [status, isAllowed, text] = await by('push');
    assert.deepEqual([status, isAllowed], [200, false]);
    assert.match(
      text,
      /so not push on team\/app: make one with `dockgate token create NAME --allow 'push:team\/app'`/,
    );
    assert.match((await by('pull', 'none'))[2], /user alice has no personal access token none/);
    await lab.addRobot('ci', ['developer', 'team/**']);
    assert.match((await by('pull', 'laptop', 'ci'))[2], /robot ci has no personal access token laptop/);
    lab.clock.advance(DAY_MS);
    assert.match((await by('pull'))[2], /^token laptop ended .*`dockgate token rotate laptop`/);
  });

  it('says to whom a client certificate belongs, and who needs one', async () => {
    await lab.close();
    const account = { kind: 'user', name: 'alice' } as const;
    const rules = [
      { name: 'email:alice@corp', account },
      { subject: 'CN=alice', name: 'DNS:a', account },
    ];
    const steps = async (use: 'alone' | 'second-factor', name: string) => {
      lab = await openApiLab(undefined, { certificateRules: { use, rules } });
      for (const user of ['alice', 'bob']) await lab.addUser(user, ['reader', '**']);
      const explained = (await explain(name, 'list', 'team/app')).steps.filter((step) =>
        / certificate: /.test(step),
      );
      await lab.close();
      return explained;
    };
    const which = 'email:alice@corp or CN=alice with DNS:a';
    assert.deepEqual(await steps('alone', 'alice'), [
      `yes certificate: the certificate ${which} signs in as alice by itself, too`,
    ]);
    assert.deepEqual(await steps('alone', 'bob'), []);
    assert.deepEqual(await steps('second-factor', 'alice'), [
      `yes certificate: beside the password or token the certificate ${which} must be shown`,
    ]);
    assert.match(
      String(await steps('second-factor', 'bob')),
      /^no certificate: .*no rule says which is of user bob/,
    );
    lab = await openApiLab();
  });
});
