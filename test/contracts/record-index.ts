import assert from 'node:assert/strict';
import type { AccessRecord, IndexedRecord, RecordQuery } from '../../src/audit/index.ts';
import { digestOf, type OpenStore, withStore } from './store-bench.ts';

const START_MS = Date.parse('2026-01-01T00:00:00Z');

function record(index: number, overrides: Partial<AccessRecord> = {}): IndexedRecord {
  return {
    index,
    record: {
      v: 1,
      id: `record-${index}`,
      time: new Date(START_MS + index * 1000).toISOString().replace('Z', '456Z'),
      node: 'n1',
      writer: 'w1',
      seq: index + 1,
      kind: 'decision',
      requestId: `request-${index}`,
      action: 'pull',
      outcome: 'allowed',
      status: 200,
      ...overrides,
    },
  };
}

/** What every implementation of RecordIndexReads and RecordIndexWrites does. */
export function recordIndexContract(implementation: string, open: OpenStore): void {
  describe(`the index of records in ${implementation}`, () => {
    const bench = withStore(open);
    const index = () => bench().store.recordIndex;
    const found = async (query: Partial<RecordQuery>) =>
      (await index().search({ limit: 100, ...query })).map((one) => one.index);

    it('begins at leaf 0 and goes on after the last', async () => {
      assert.equal(await index().nextIndex(), 0);
      await index().append([record(0), record(1), record(2)]);
      assert.equal(await index().nextIndex(), 3);
      await index().append([]);
      assert.equal(await index().nextIndex(), 3);
    });

    it('gives records back whole, newest first', async () => {
      const whole = record(1, {
        principal: { kind: 'user', id: 'u1', name: 'alice', via: 'token', tokenId: 't' },
        client: { address: '127.0.0.1', userAgent: "x'; drop table records; --" },
        verdict: { outcome: 'block', reasons: [{ policy: 'p', rule: 'secrets', findings: ['f'] }] },
        change: { before: null, after: { nested: [1] } },
      });
      await index().append([record(0), whole]);
      assert.deepEqual(await index().search({ limit: 10 }), [whole, record(0)]);
    });

    it('finds by reason, by the first parts of one, and by the request', async () => {
      await index().append([
        record(0, { reason: 'policy.secrets' }),
        record(1, { reason: 'policy.scanned' }),
        record(2, { reason: 'policyholder' }),
        record(3),
        record(4, { kind: 'completion', requestId: 'request-3' }),
      ]);
      assert.deepEqual(await found({ reason: 'policy' }), [1, 0]);
      assert.deepEqual(await found({ reason: 'policy.secrets' }), [0]);
      assert.deepEqual(await found({ reason: 'policy.' }), []);
      assert.deepEqual(await found({ reason: '%' }), []);
      assert.deepEqual(await found({ requestId: 'request-3' }), [4, 3]);
      assert.deepEqual(await found({ requestId: 'request' }), []);
    });

    it('takes a record again, as the log has it', async () => {
      await index().append([record(0, { action: 'push' }), record(1)]);
      await index().append([record(0, { action: 'delete' })]);
      assert.deepEqual(await found({ action: 'push' }), []);
      assert.deepEqual(await found({ action: 'delete' }), [0]);
      assert.equal(await index().nextIndex(), 2);
    });

    it('finds by who, what, where, when and how it ended, and by all of these together', async () => {
      const by = (name: string) => ({ kind: 'user', id: `id-${name}`, name, via: 'basic' }) as const;
      await index().append([
        record(0, { principal: by('alice'), repository: 'team/app' }),
        record(1, { principal: by('bob'), repository: 'team/app', outcome: 'refused' }),
        record(2, { principal: by('alice'), action: 'push', digest: digestOf('m') }),
        record(3, { client: { address: '127.0.0.9' } }),
      ]);
      assert.deepEqual(await found({ user: 'alice' }), [2, 0]);
      assert.deepEqual(await found({ action: 'push' }), [2]);
      assert.deepEqual(await found({ repository: 'team/app' }), [1, 0]);
      assert.deepEqual(await found({ outcome: 'refused' }), [1]);
      assert.deepEqual(await found({ digest: digestOf('m') }), [2]);
      assert.deepEqual(await found({ address: '127.0.0.9' }), [3]);
      assert.deepEqual(await found({ user: 'alice', repository: 'team/app', outcome: 'allowed' }), [0]);
      assert.deepEqual(await found({ user: 'alice', outcome: 'refused' }), []);
    });

    it('finds from an instant on, and before one', async () => {
      await index().append([record(0), record(1), record(2)]);
      assert.deepEqual(await found({ sinceMs: START_MS + 1000 }), [2, 1]);
      assert.deepEqual(await found({ untilMs: START_MS + 1000 }), [0]);
      assert.deepEqual(await found({ sinceMs: START_MS + 1000, untilMs: START_MS + 2000 }), [1]);
    });

    it('pages by leaf', async () => {
      await index().append(Array.from({ length: 1200 }, (_, at) => record(at)));
      assert.deepEqual(await found({ limit: 2 }), [1199, 1198]);
      assert.deepEqual(await found({ limit: 2, beforeIndex: 1198 }), [1197, 1196]);
      assert.deepEqual(await found({ limit: 2, beforeIndex: 0 }), []);
      assert.equal((await found({ limit: 1e9 })).length, 1001);
      assert.deepEqual(await found({ limit: 0 }), []);
    });

    it('takes what is asked for as text (W-11)', async () => {
      await index().append([record(0, { repository: 'team/app' })]);
      for (const text of ["' or 1=1 --", '%', 'team/_pp', '*', '']) {
        assert.deepEqual(await found({ repository: text }), [], text);
        assert.deepEqual(await found({ user: text }), [], text);
        assert.deepEqual(await found({ action: text }), [], text);
      }
    });

    it('can be cleared and built again', async () => {
      await index().append([record(0), record(1)]);
      await index().clear();
      assert.equal(await index().nextIndex(), 0);
      assert.deepEqual(await found({}), []);
      await index().append([record(0)]);
      assert.deepEqual(await found({}), [0]);
    });

    it('keeps when each principal last did what, where, of what was allowed', async () => {
      const by = (id: string) => ({ principal: { kind: 'user', id, name: id, via: 'basic' } }) as const;
      await index().append([
        record(1, { ...by('u1'), repository: 'team/app' }),
        record(5, { ...by('u1'), repository: 'team/app' }),
        record(6, { ...by('u1'), repository: 'team/app', outcome: 'refused', status: 403 }),
        record(7, { ...by('u2'), action: 'catalog' }),
        record(8, { ...by('') }),
        record(9),
      ]);
      await index().append([record(3, { ...by('u1'), repository: 'team/app' })]);
      assert.deepEqual(await index().lastUses(), [
        { principalId: 'u1', action: 'pull', repository: 'team/app', atMs: START_MS + 5000 },
        { principalId: 'u2', action: 'catalog', repository: '', atMs: START_MS + 7000 },
      ]);
      await index().clear();
      assert.deepEqual(await index().lastUses(), []);
    });

    it('publishes nothing', async () => {
      await index().append([record(0)]);
      assert.deepEqual(bench().changes, []);
    });
  });
}
