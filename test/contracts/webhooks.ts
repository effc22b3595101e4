import assert from 'node:assert/strict';
import type { NewMessage } from '../../src/webhooks/index.ts';
import { digestOf, image, type OpenStore, repository, withStore } from './store-bench.ts';

const APP = repository('team/app');
const LEASE_MS = 60_000;

function message(id: string, more: Partial<NewMessage> = {}): NewMessage {
  return { id, webhook: 'chat', event: 'image.blocked', body: `{"id":"${id}"}`, ...more };
}

/** What every implementation of WebhookQueue does. */
export function webhooksContract(implementation: string, open: OpenStore): void {
  describe(`the queue of webhooks in ${implementation}`, () => {
    const bench = withStore(open);
    const queue = () => bench().store.webhooks;
    const notice = (...messages: readonly NewMessage[]) => queue().notice({ messages }, 100);
    const take = (nowMs: number, webhook = 'chat') => queue().take(webhook, nowMs, LEASE_MS);

    it('gives the messages of a webhook in their order, one to one taker at a time', async () => {
      await notice(message('b'), message('a'), message('c', { webhook: 'siem' }));
      const first = await take(200);
      assert.deepEqual(first, { ...message('b'), attempts: 0, queuedAtMs: 100 });
      assert.equal(await take(200), undefined);
      assert.equal((await take(200, 'siem'))?.id, 'c');
      if (first) await queue().finish(first);
      assert.equal((await take(201))?.id, 'a');
    });

    it('gives a message again whose taker died, when its hold is over', async () => {
      await notice(message('a'));
      await take(200);
      assert.equal(await take(200 + LEASE_MS - 1), undefined);
      assert.equal((await take(200 + LEASE_MS))?.id, 'a');
    });

    it('holds everything behind a message that waits for its next try, and nothing behind a dead one', async () => {
      await notice(message('a'), message('b'));
      await queue().retry(message('a'), { notBeforeMs: 500, reason: 'answered 500' });
      assert.equal(await take(499), undefined);
      assert.equal((await take(500))?.attempts, 1);
      await queue().bury(message('a'), 'answered 400');
      assert.equal((await take(501))?.id, 'b');
      assert.deepEqual(await queue().counts(), [{ webhook: 'chat', waiting: 1, dead: 1 }]);
      assert.deepEqual(await queue().listDead('chat', 10), [
        {
          ...{ id: 'a', webhook: 'chat', event: 'image.blocked' },
          queuedAtMs: 100,
          attempts: 2,
          reason: 'answered 400',
        },
      ]);
    });

    it('queues one message of an id, and one of a key until the time is over', async () => {
      const once = { key: 'same', untilMs: 1000 };
      await notice(message('a', { once }), message('b', { once }), message('a'));
      assert.deepEqual(await queue().counts(), [{ webhook: 'chat', waiting: 1, dead: 0 }]);
      await queue().notice({ messages: [message('c', { once })] }, 999);
      assert.deepEqual(await queue().counts(), [{ webhook: 'chat', waiting: 1, dead: 0 }]);
      await queue().notice({ messages: [message('d', { once })] }, 1000);
      assert.deepEqual(await queue().counts(), [{ webhook: 'chat', waiting: 2, dead: 0 }]);
    });

    it('keeps how far a node has read its log, node by node', async () => {
      assert.equal(await queue().findCursor('n1'), undefined);
      await queue().notice({ messages: [], cursor: { node: 'n1', next: 7 } }, 1);
      await queue().notice({ messages: [], cursor: { node: 'n1', next: 9 } }, 2);
      assert.equal(await queue().findCursor('n1'), 9);
      assert.equal(await queue().findCursor('n2'), undefined);
    });

    it('has news of every scan that was kept, with what it found and where the image lies, until it was told', async () => {
      const { facts, links } = bench().store;
      await links.linkManifest({
        ...{ repository: APP, digest: digestOf('app'), size: 10, manifest: image(['layer']) },
        ...{ tags: [], tagRights: { mayCreate: true, mayOverwrite: true }, requireContent: false, nowMs: 1 },
      });
      await facts.seeDigest(digestOf('app'), 'image', 1);
      const scan = { by: 'grype', atMs: 5, version: '1', status: 'done' } as const;
      const finding = { kind: 'vulnerability', id: 'CVE-1', title: 'bad', by: 'grype' } as const;
      await facts.saveReport({
        digest: digestOf('app'),
        scan,
        findings: [
          { ...finding, severity: 'high' },
          { ...finding, id: 'CVE-2', severity: 'high' },
        ],
      });
      const told = await queue().listScanNews(10);
      assert.deepEqual(told, [
        {
          digest: digestOf('app'),
          by: 'grype',
          atMs: 5,
          status: 'done',
          repositories: [APP],
          findings: { high: 2 },
        },
      ]);
      await facts.saveReport({ digest: digestOf('app'), scan: { ...scan, atMs: 6 }, findings: [] });
      await queue().notice({ messages: [], told }, 7);
      const newer = await queue().listScanNews(10);
      assert.deepEqual(
        newer.map(({ atMs }) => atMs),
        [6],
        'a newer scan is news of its own',
      );
      await queue().notice({ messages: [], told: newer }, 8);
      assert.deepEqual(await queue().listScanNews(10), []);
    });

    it('watches what was admitted until it is refused, page by page', async () => {
      const places = ['a', 'b', 'c'].map((name) => ({
        repository: repository(`team/${name}`),
        digest: digestOf(name),
      }));
      await queue().notice({ messages: [], admitted: [...places, ...places] }, 1);
      const first = await queue().listAdmitted(undefined, 2);
      assert.deepEqual(first, places.slice(0, 2));
      assert.deepEqual(await queue().listAdmitted(first[1], 2), places.slice(2));
      await queue().notice({ messages: [], refused: places.slice(1) }, 2);
      assert.deepEqual(await queue().listAdmitted(undefined, 10), places.slice(0, 1));
    });

    it('forgets messages of webhooks that are gone, keys that are over and images of long ago', async () => {
      const day = 24 * 3_600_000;
      await notice(
        message('a'),
        message('b', { webhook: 'gone' }),
        message('c', { once: { key: 'k', untilMs: 50 } }),
      );
      await queue().notice({ messages: [], admitted: [{ repository: APP, digest: digestOf('app') }] }, 1);
      await queue().sweep(['chat'], 31 * day);
      assert.deepEqual(await queue().counts(), [{ webhook: 'chat', waiting: 2, dead: 0 }]);
      assert.deepEqual(await queue().listAdmitted(undefined, 10), []);
    });

    it('takes only so many messages for a webhook: the rest is dead at once', async () => {
      const many = Array.from({ length: 22 }, (_, at) => message(`m${at}`));
      assert.equal(await notice(...many), 20);
      assert.deepEqual(await queue().counts(), [{ webhook: 'chat', waiting: 20, dead: 2 }]);
    });
  });
}
