import assert from 'node:assert/strict';
import type { AccessRecord } from '../../src/audit/index.ts';
import { DAY_MS, SECOND_MS } from '../../src/base/index.ts';
import type { Digest } from '../../src/oci/index.ts';
import { digestOf } from '../contracts/store-bench.ts';
import { findingOf, policyOf } from '../policy/fixtures.ts';
import { type ApiLab, openApiLab } from './lab.ts';

interface Changed {
  readonly repository: string;
  readonly digest: string;
  readonly tags: readonly string[];
  readonly change: string;
  readonly pulls: number;
  readonly refused: number;
  readonly principals?: readonly object[];
  readonly after: {
    readonly reasons: readonly {
      readonly rule: string;
      readonly findings: readonly { readonly id: string }[];
    }[];
  };
}

const STRICT = { name: 'strict', match: ['**'], rules: { vulnerabilities: { block: 'high' } } };

describe('a trial of policies', () => {
  let lab: ApiLab;
  let leaf: number;
  let [bad, good, secret]: readonly Digest[] = [];

  beforeEach(async () => {
    lab = await openApiLab();
    leaf = 0;
    await lab.addUser('dev', ['developer', 'team/**']);
    await lab.addUser('reader', ['reader', '**']);
    bad = await lab.addImage('team/app', 'bad');
    good = await lab.addImage('team/app', 'good');
    secret = await lab.addImage('hidden/app', 'secret');
    for (const digest of [bad, good, secret]) {
      await report(digest, digest === good ? [] : [findingOf({ id: 'CVE-2026-1' })]);
    }
    await lab.store.facts.putPolicy(policyOf({ secrets: 'block' }), 'api');
  });
  afterEach(() => lab.close());

  async function report(digest: Digest, findings: readonly ReturnType<typeof findingOf>[]) {
    const scan = { by: 'inspector', version: '1', atMs: lab.clock.nowMs(), status: 'done' } as const;
    await lab.store.facts.saveReport({ digest, scan, findings });
  }

  /** Notes a pull, now unless told. */
  async function pull(
    repository: string,
    digest: Digest | undefined,
    more: Partial<AccessRecord> = {},
    agoMs = 0,
  ) {
    const index = leaf++;
    const time = new Date(lab.clock.nowMs() - agoMs).toISOString().replace('Z', '000Z');
    const whole: AccessRecord = {
      ...{ v: 1, id: `r${index}`, time, node: 'n', writer: 'w', seq: index + 1, kind: 'decision' },
      ...{ requestId: `q${index}`, action: 'pull', outcome: 'allowed', status: 200, method: 'GET' },
      ...{ repository, ...(digest ? { digest } : {}) },
      principal: { kind: 'user', id: 'u', name: 'ann', via: 'token' },
      ...more,
    };
    await lab.store.recordIndex.append([{ index, record: whole }]);
  }

  async function attempt(body: object, as = 'admin') {
    const { status, body: answer } = await lab.call('post', '/api/v1/policy-trials', { as, body });
    const changed: readonly Changed[] = answer.changed ?? [];
    return {
      status,
      answer,
      changed,
      blocked: changed.map((one) => `${one.change} ${one.repository}@${one.digest}`),
    };
  }

  it('names what would be refused of what was pulled, by whom and why, and changes nothing', async () => {
    const before = await lab.store.facts.listPolicies();
    await pull('team/app', bad, { reference: 'bad' });
    await pull('team/app', bad, { reference: bad ?? '' });
    await pull('team/app', bad, { principal: { kind: 'robot', id: 'r', name: 'ci', via: 'robot' } });
    await pull('team/app', good, { reference: 'good' });
    const { answer, changed } = await attempt({ policies: [STRICT] });
    assert.deepEqual([answer.images, answer.pulls, changed.length], [2, 4, 1]);
    const [one] = changed;
    assert.deepEqual(
      [one?.change, one?.repository, one?.digest, one?.tags, one?.pulls],
      ['blocked', 'team/app', bad, ['bad'], 3],
    );
    assert.deepEqual(one?.principals, [
      { name: 'robot ci', pulls: 1, refused: 0 },
      { name: 'user ann', pulls: 2, refused: 0 },
    ]);
    assert.deepEqual(
      one?.after.reasons.map(({ rule, findings }) => [rule, findings.map(({ id }) => id)]),
      [['vulnerabilities', ['CVE-2026-1']]],
    );
    assert.deepEqual(await lab.store.facts.listPolicies(), before);
    assert.deepEqual(lab.requested, []);
  });

  it('counts neither looks, nor blobs, nor pulls of before, nor what was refused for other reasons', async () => {
    await pull('team/app', bad, { method: 'HEAD' });
    await pull('team/app', bad, { kind: 'completion' });
    await pull('team/app', bad, { outcome: 'refused', reason: 'grant.missing' });
    await pull('team/app', digestOf('team/app layer'));
    await pull('team/app', undefined);
    await pull('team/app', bad, {}, 31 * DAY_MS);
    const { answer, changed } = await attempt({ policies: [STRICT] });
    assert.deepEqual([answer.images, answer.pulls, changed], [0, 0, []]);
    const since = new Date(lab.clock.nowMs() - 32 * DAY_MS).toISOString();
    assert.equal((await attempt({ policies: [STRICT], since })).changed.length, 1);
  });

  it('names what would be let through that is refused now, by a replacement and by a removal', async () => {
    await lab.store.facts.putPolicy(
      policyOf({ vulnerabilities: { block: 'high', fixableOnly: false } }, { name: 'strict' }),
      'api',
    );
    await pull('team/app', bad, { outcome: 'refused', reason: 'policy.vulnerabilities', status: 403 });
    const loose = { ...STRICT, rules: { vulnerabilities: { block: 'critical' } } };
    for (const body of [{ policies: [loose] }, { without: ['strict'] }]) {
      const { changed } = await attempt(body);
      assert.deepEqual(
        changed.map(({ change, pulls, refused }) => [change, pulls, refused]),
        [['admitted', 0, 1]],
      );
    }
    assert.deepEqual((await attempt({ policies: [STRICT] })).changed, []);
  });

  it('tells what would first have to be scanned from what would be refused', async () => {
    await pull('team/app', good);
    const rules = { scanned: { by: ['grype'], within: '7d' } };
    assert.deepEqual((await attempt({ policies: [{ ...STRICT, rules }] })).blocked, [
      `unscanned team/app@${good}`,
    ]);
  });

  it('takes a policy that only warns for one that refuses, where that is asked', async () => {
    await pull('team/app', bad);
    const warning = { ...STRICT, mode: 'warn' };
    assert.deepEqual((await attempt({ policies: [warning] })).changed, []);
    assert.equal((await attempt({ policies: [warning], enforced: true })).changed.length, 1);
  });

  it('tells nobody of what lies where they may see no verdicts, nor who pulled unless they may read the log', async () => {
    await pull('team/app', bad);
    await pull('hidden/app', secret);
    const own = await attempt({ policies: [STRICT] }, 'dev');
    assert.deepEqual(own.blocked, [`blocked team/app@${bad}`]);
    assert.deepEqual([own.answer.images, own.answer.pulls, own.changed[0]?.principals], [1, 1, undefined]);
    assert.equal(own.changed[0]?.pulls, 1);
    assert.equal((await attempt({ policies: [STRICT] })).changed.length, 2);
    assert.equal((await attempt({ policies: [STRICT] }, 'reader')).status, 403);
  });

  it('is answered page by page, of which each looks at some thousand records', async () => {
    const records = Array.from({ length: 4001 }, (_, index) => index);
    const at = lab.clock.nowMs() - 5000 * SECOND_MS;
    await lab.store.recordIndex.append(
      records.map((index) => ({
        index,
        record: {
          ...{ v: 1, id: `r${index}`, node: 'n', writer: 'w', seq: index + 1, kind: 'decision' },
          ...{ requestId: `q${index}`, action: 'pull', outcome: 'allowed', status: 200, method: 'GET' },
          ...{ repository: 'team/app', time: new Date(at + index).toISOString().replace('Z', '000Z') },
          digest: index === 0 ? (bad ?? '') : (good ?? ''),
        },
      })),
    );
    let [pages, pulls, before]: [number, number, number | undefined] = [0, 0, undefined];
    const found: string[] = [];
    do {
      const page = await attempt({ policies: [STRICT], ...(before === undefined ? {} : { before }) });
      pages += 1;
      pulls += page.answer.pulls;
      before = page.answer.next;
      found.push(...page.blocked);
    } while (before !== undefined);
    assert.deepEqual([pulls, found], [4001, [`blocked team/app@${bad}`]]);
    assert.ok(pages > 1);
  });

  it('is refused for a document that could not be applied, and for a policy that there is not', async () => {
    const wrong = await attempt({ policies: [{ ...STRICT, rules: {} }] });
    assert.equal(wrong.status, 400);
    const unknown = await attempt({ without: ['nothing'] });
    assert.deepEqual([unknown.status, unknown.answer.error.code], [404, 'DG_POLICY_UNKNOWN']);
  });
});
