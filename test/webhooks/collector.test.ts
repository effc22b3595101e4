import assert from 'node:assert/strict';
import { createManualClock, type ManualClock } from '../../src/base/index.ts';
import type { Verdict } from '../../src/policy/index.ts';
import type { StoreWrites } from '../../src/store/index.ts';
import { createCollector } from '../../src/webhooks/collector.ts';
import { messagesFor, refusedNow, type Wish } from '../../src/webhooks/events.ts';
import { watchAdmitted } from '../../src/webhooks/watch.ts';
import { digestOf, repository } from '../contracts/store-bench.ts';
import { outletRecord } from '../outlets/lab.ts';
import { openSqlite } from '../store/bench.ts';

const SOURCE = 'https://reg.example';
const MINUTE_MS = 60_000;
const APP = repository('prod/app');

const wish: Wish = {
  name: 'chat',
  events: ['image.blocked', 'image.scanned', 'vulnerability.found'],
  repositories: 'prod/**',
  sameForMs: 15 * MINUTE_MS,
};
const refusal = {
  outcome: 'refused',
  status: 403,
  reason: 'policy.secrets',
  repository: 'prod/app',
  digest: digestOf('leaky'),
  principal: { kind: 'user', id: 'id-alice', name: 'alice', via: 'basic' },
  verdict: { outcome: 'block', reasons: [{ policy: 'strict', rule: 'secrets', findings: ['aws'] }] },
} as const;
const serving = {
  outcome: 'allowed',
  status: 200,
  repository: 'prod/app',
  digest: digestOf('good'),
  verdict: { outcome: 'allow', reasons: [] },
} as const;

describe('what webhooks are told of', () => {
  let clock: ManualClock;
  let store: StoreWrites;
  let close: () => Promise<void>;
  let records: ReturnType<typeof outletRecord>[];
  beforeEach(async () => {
    clock = createManualClock();
    records = [];
    ({ store, close } = await openSqlite(clock, async () => {}));
  });
  afterEach(() => close());

  const log = {
    size: () => records.length,
    read: async (from: number, to: number) => records.slice(from, to),
  };
  const collector = (...wishes: readonly Wish[]) =>
    createCollector({ node: 'n1', source: SOURCE, wishes }, { log, queue: store.webhooks, clock });
  const happen = (...entries: readonly Parameters<typeof outletRecord>[1][]) => {
    for (const entry of entries) records.push(outletRecord(records.length, entry));
  };
  const waiting = async (webhook = 'chat') =>
    (await store.webhooks.counts()).find((count) => count.webhook === webhook)?.waiting ?? 0;

  it('is a refusal by policy, one of an image, principal and reason in a quarter of an hour', async () => {
    const { collect } = collector(wish);
    await collect();
    happen(...Array.from({ length: 100 }, () => refusal));
    await collect();
    assert.equal(await waiting(), 1);
    const message = await store.webhooks.take('chat', clock.nowMs(), MINUTE_MS);
    const event = JSON.parse(message?.body ?? '');
    assert.deepEqual(
      { ...event, data: undefined },
      {
        ...{ specversion: '1.0', id: message?.id, source: SOURCE, type: 'image.blocked', data: undefined },
        ...{
          time: records[0]?.record.time.replace(/\d{3}Z$/, 'Z'),
          subject: `prod/app@${digestOf('leaky')}`,
        },
        datacontenttype: 'application/json',
      },
    );
    assert.deepEqual(event.data.reasons, refusal.verdict.reasons);
    happen({ ...refusal, principal: { ...refusal.principal, id: 'id-bob', name: 'bob' } });
    happen({ ...refusal, reason: 'policy.malware' }, { ...refusal, digest: digestOf('other') });
    await collect();
    assert.equal(await waiting(), 4, 'another principal, reason or image is another matter');
    clock.advance(15 * MINUTE_MS);
    happen(refusal);
    await collect();
    assert.equal(await waiting(), 5);
  });

  it('is nothing that is no refusal by policy, of another repository, or that nobody wants to hear of', async () => {
    const { collect } = collector(wish, { ...wish, name: 'scans', events: ['image.scanned'] });
    await collect();
    happen(serving, { ...refusal, reason: 'grant.missing' }, { ...refusal, repository: 'lab/app' });
    happen(
      { ...refusal, action: 'push' },
      { ...refusal, repository: '../x' },
      { ...refusal, digest: 'none' },
    );
    happen({ ...refusal, verdict: { outcome: 'unscanned', reasons: [] } });
    await collect();
    assert.equal(await waiting(), 1, 'only the odd digest, which is told as it was recorded');
    happen(refusal);
    await collect();
    assert.equal(await waiting('scans'), 0);
  });

  it('begins where it was after a crash, and what is noticed twice is queued once', async () => {
    happen(refusal);
    await collector(wish).collect();
    assert.equal(await waiting(), 0, 'what was before the first start is history');
    happen({ ...refusal, digest: digestOf('second') });
    const first = collector(wish);
    await store.webhooks.notice({ messages: [], cursor: { node: 'n1', next: 1 } }, clock.nowMs());
    await first.collect();
    await store.webhooks.notice({ messages: [], cursor: { node: 'n1', next: 1 } }, clock.nowMs());
    await collector({ ...wish, sameForMs: 0 }).collect();
    assert.equal(await waiting(), 1);
  });

  it('is an image that was served and is refused now, once; one that waits for a scan is watched further', async () => {
    const { collect } = collector(wish);
    await collect();
    happen(serving, serving, { ...serving, digest: digestOf('waits') });
    await collect();
    const verdict = { reasons: [], warnings: [], validUntilMs: 0, holdMs: 0 };
    const outcomes = new Map<string, Verdict['outcome']>([[digestOf('waits'), 'unscanned']]);
    const judge = {
      peek: async (_repository: typeof APP, digest: ReturnType<typeof digestOf>): Promise<Verdict> => ({
        ...{ ...verdict, digest, outcome: outcomes.get(digest) ?? 'allow' },
      }),
    };
    const watch = () =>
      watchAdmitted(
        { source: SOURCE, wishes: [wish] },
        { queue: store.webhooks, judge, clock },
        new AbortController().signal,
      );
    assert.equal(await watch(), 0);
    outcomes.set(digestOf('good'), 'block');
    assert.equal(await watch(), 1);
    assert.equal(await watch(), 0);
    assert.equal(await waiting(), 1);
    outcomes.set(digestOf('waits'), 'block');
    assert.equal(await watch(), 1);
  });

  it('names the findings behind a refusal, and no more than twenty of each reason', () => {
    const finding = {
      kind: 'vulnerability',
      severity: 'high',
      title: 't',
      by: 'grype',
      package: 'zlib',
    } as const;
    const findings = Array.from({ length: 30 }, (_, at) => ({
      ...finding,
      id: `CVE-${at}`,
      fixedVersion: '2',
    }));
    const verdict: Verdict = {
      ...{ digest: digestOf('good'), outcome: 'block', warnings: [], validUntilMs: 0, holdMs: 0 },
      reasons: [{ rule: 'vulnerabilities', policy: 'strict', text: 'has 30', findings }],
    };
    const happened = refusedNow({ repository: APP, digest: digestOf('good') }, verdict, 5);
    const [message] = messagesFor(happened, [wish], { source: SOURCE, nowMs: 5 });
    const [reason] = JSON.parse(message?.body ?? '').data.reasons;
    assert.equal(reason.findings.length, 20);
    assert.equal(reason.findingCount, 30);
    assert.deepEqual(reason.findings[0], {
      id: 'CVE-0',
      severity: 'high',
      package: 'zlib',
      fixedVersion: '2',
    });
  });
});
