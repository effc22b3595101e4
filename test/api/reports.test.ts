import assert from 'node:assert/strict';
import { HOUR_MS } from '../../src/base/index.ts';
import type { Digest } from '../../src/oci/index.ts';
import { digestOf } from '../contracts/store-bench.ts';
import { policyOf } from '../policy/fixtures.ts';
import { cycloneDxReport, grypeReport, spdxReport, trivyReport } from '../scanners/reports/samples.ts';
import { type ApiLab, CONFIG, openApiLab } from './lab.ts';

describe('results that CI pushes', () => {
  let lab: ApiLab;
  let image: Digest;
  const AT = { repository: 'team/app', reference: '1.0' };

  before(async () => {
    lab = await openApiLab();
    await lab.addUser('ci', ['developer', 'team/**']);
    await lab.addUser('ann', ['reader', 'team/**']);
    image = await lab.addImage('team/app', '1.0');
    await lab.addImage('team/app', 'list');
    for (const { name } of await lab.store.facts.listPolicies()) await lab.store.facts.removePolicy(name);
  });
  after(() => lab.close());

  const about = () => ({ manifest: image, config: CONFIG });
  const push = (report: unknown, { as = 'ci', at = AT as object } = {}) =>
    lab.call('post', '/api/v1/image/reports', { as, body: { ...at, report: JSON.stringify(report) } });
  const setRules = (rules: Parameters<typeof policyOf>[0]) =>
    lab.store.facts.putPolicy(policyOf(rules), 'api');
  const verdict = async () => {
    const { body } = await lab.call('get', '/api/v1/image?repository=team/app&reference=1.0', { as: 'ci' });
    return body.verdict;
  };
  const codeOf = ({ status, body }: { status: number; body: { error?: { code?: string } } }) => [
    status,
    body.error?.code,
  ];

  it('change the verdict at once, and say who pushed them', async () => {
    lab.clock.set(Date.UTC(2026, 5, 1));
    await setRules({
      scanned: { by: ['ci-grype'], withinMs: 1000 * HOUR_MS },
      vulnerabilities: { block: 'high', fixableOnly: false },
    });
    const before = await verdict();
    assert.equal(before.outcome, 'block');
    assert.match(before.reasons[0].text, /no result of ci-grype was pushed/);

    assert.equal((await push({ ...grypeReport(about()), matches: [] })).status, 201);
    assert.equal((await verdict()).outcome, 'allow');

    const pushed = await push(grypeReport(about()));
    assert.deepEqual(pushed.body, {
      ...{ digest: image, by: 'ci-grype', tool: 'grype 0.121.2', findings: 2, isAttached: false },
    });
    const after = await verdict();
    assert.equal(after.outcome, 'block');
    assert.equal(after.reasons[0].findings[0].id, 'CVE-2026-77');
    const { body } = await lab.call('get', '/api/v1/image?repository=team/app&reference=1.0', { as: 'ci' });
    const scan = body.scans.find(({ by }: { by: string }) => by === 'ci-grype');
    assert.deepEqual([scan.author, scan.at], ['ci', '2026-05-30T08:00:00.000Z']);
    assert.equal(lab.lastEntry()?.action, 'admin.image.show');
  });

  it('need the right to scan that repository', async () => {
    for (const [as, at] of [
      ['ann', AT],
      ['ci', { ...AT, repository: 'other/app' }],
    ] as const) {
      const refused = await push(grypeReport(about()), { as, at });
      assert.deepEqual(codeOf(refused), [403, 'DG_DENIED']);
    }
  });

  it('count for the image that they are about only', async () => {
    const other = digestOf('something else');
    const wrong = await push(grypeReport({ manifest: other, config: other }));
    assert.deepEqual(codeOf(wrong), [409, 'DG_REPORT_SUBJECT']);
    assert.match(wrong.body.error.message, /about another image/);
    const { source: _, ...unnamed } = grypeReport(about());
    const nameless = await push({ ...unnamed, source: { type: 'directory' } });
    assert.deepEqual(codeOf(nameless), [409, 'DG_REPORT_SUBJECT']);
    const index = await push(grypeReport(about()), { at: { ...AT, reference: 'list' } });
    assert.deepEqual(codeOf(index), [400, 'DG_INPUT_INVALID']);
    const absent = await push(grypeReport(about()), { at: { ...AT, reference: 'absent' } });
    assert.deepEqual(codeOf(absent), [404, 'DG_IMAGE_UNKNOWN']);
  });

  it('are refused when they cannot be read', async () => {
    assert.deepEqual(codeOf(await push({ hello: 1 })), [400, 'DG_REPORT_INVALID']);
  });

  it('do not become younger by being pushed again, nor older than they say', async () => {
    const future = {
      ...grypeReport(about()),
      descriptor: { name: 'grype', timestamp: '2099-01-01T00:00:00Z' },
    };
    await push(future);
    const [scan] = (await lab.store.facts.findFacts(image))?.scans ?? [];
    assert.equal(scan?.atMs, lab.clock.nowMs());
    await push(grypeReport(about()));
    const [again] = (await lab.store.facts.findFacts(image))?.scans ?? [];
    assert.equal(again?.atMs, Date.UTC(2026, 4, 30, 8));
  });

  it('are no scan where the policy names no scanner', async () => {
    await setRules({ malware: 'block' });
    assert.equal((await verdict()).outcome, 'unscanned');
  });

  it('say that an image cannot be scanned', async () => {
    await setRules({ scanned: { by: ['ci-trivy'], withinMs: 1000 * HOUR_MS } });
    await push({ ...trivyReport(about()), Results: [] });
    const { outcome, reasons } = await verdict();
    assert.equal(outcome, 'block');
    assert.match(reasons[0].text, /ci-trivy could not scan it/);
  });

  it('bring the packages that rules ask for', async () => {
    await setRules({
      scanned: { by: ['ci-cyclonedx'], withinMs: 1000 * HOUR_MS },
      packages: { deny: ['inner@*'] },
      licenses: { deny: ['AGPL-*'] },
    });
    await push(cycloneDxReport(about()));
    const { outcome, reasons } = await verdict();
    assert.equal(outcome, 'block');
    assert.deepEqual(
      reasons.map(({ text }: { text: string }) => text),
      ['packages not allowed here: inner@1', 'licenses not allowed here: @corp/lib (AGPL-3.0-only)'],
    );
  });

  it('are kept where they are an SBOM, byte for byte, and attached by who may', async () => {
    lab.attached.length = 0;
    const text = JSON.stringify(spdxReport(about()));
    const body = { ...AT, report: text };
    const pushed = await lab.call('post', '/api/v1/image/reports', { as: 'ci', body });
    assert.deepEqual([pushed.body.packages, pushed.body.isAttached], [1, true]);
    assert.equal(lab.attached.length, 1);
    const path = '/api/v1/image/sbom?repository=team/app&reference=1.0';
    const spdx = await lab.call('get', `${path}&format=spdx`, { as: 'ci' });
    assert.deepEqual([spdx.body.document, spdx.body.by, spdx.body.format], [text, 'ci-spdx', 'spdx']);
    assert.deepEqual(codeOf(await lab.call('get', path, { as: 'ann' })), [403, 'DG_DENIED']);
    const other = await lab.addImage('team/app', 'bare');
    const none = await lab.call('get', `/api/v1/image/sbom?repository=team/app&reference=${other}`, {
      as: 'ci',
    });
    assert.deepEqual(codeOf(none), [404, 'DG_SBOM_UNKNOWN']);

    await lab.store.accounts.putRole({ name: 'scan-only', actions: ['scan'] });
    await lab.addUser('scanner', ['scan-only', 'team/**']);
    const bare = await lab.call('post', '/api/v1/image/reports', { as: 'scanner', body });
    assert.deepEqual([bare.status, bare.body.isAttached], [201, false]);
    const document = (await lab.store.facts.listSboms(image)).map(({ digest }) => digest);
    assert.deepEqual(await lab.store.links.unowned(document), [], 'what is kept is no garbage');
  });
});
