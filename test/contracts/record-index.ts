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
      (await index().search({ limit: 100, ...query })).records.map((one) => one.index);

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
      assert.deepEqual((await index().search({ limit: 10 })).records, [whole, record(0)]);
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

    it('takes more than one statement holds, and the same again', async () => {
      const many = Array.from({ length: 1203 }, (_, at) =>
        record(at, { digest: digestOf(`${at % 600}`), action: at % 2 ? 'pull' : 'push' }),
      );
      for (const time of ['first', 'second']) {
        await index().append(many);
        assert.deepEqual(await found({ digest: digestOf('1') }), [1201, 601, 1], time);
        const { counts } = await index().count({ by: 'action' });
        assert.deepEqual(
          counts.map(({ value, count }) => [value, count]),
          [
            ['push', 602],
            ['pull', 601],
          ],
          time,
        );
      }
      const [oldest] = (await index().search({ limit: 1, afterIndex: -1 })).records;
      assert.deepEqual(oldest, many[0]);
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

    it('finds what was limited, by itself and as a part of what was refused', async () => {
      await index().append([
        record(0, { action: 'sign-in', outcome: 'refused', status: 429, reason: 'limit.sign-in' }),
        record(1, { action: 'sign-in', outcome: 'refused', status: 401, reason: 'sign-in.password' }),
        record(2, { action: 'pull', outcome: 'refused', status: 429, reason: 'upstream.busy' }),
        record(3),
      ]);
      assert.deepEqual(await found({ outcome: 'limited' }), [2, 0]);
      assert.deepEqual(await found({ outcome: 'refused' }), [2, 1, 0]);
      assert.deepEqual(await found({ outcome: 'limited', action: 'sign-in' }), [0]);
    });

    it('finds by a rule, in one policy or in all', async () => {
      const blocked = (policy: string, rule: string) =>
        ({ verdict: { outcome: 'block', reasons: [{ policy, rule, findings: [] }] } }) as const;
      await index().append([
        record(0, blocked('default', 'secrets')),
        record(1, blocked('strict', 'secrets')),
        record(2, blocked('strict', 'age')),
      ]);
      assert.deepEqual(await found({ rule: 'secrets' }), [1, 0]);
      assert.deepEqual(await found({ rule: 'strict/secrets' }), [1]);
      assert.deepEqual(await found({ rule: 'strict' }), []);
    });

    it('pages onwards from a leaf, oldest first, and always says where to go on', async () => {
      await index().append(Array.from({ length: 5 }, (_, at) => record(at, { status: at })));
      const page = await index().search({ afterIndex: 1, limit: 2 });
      assert.deepEqual([page.records.map((one) => one.index), page.next], [[2, 3], 3]);
      const rest = await index().search({ afterIndex: 3, limit: 2 });
      assert.deepEqual([rest.records.map((one) => one.index), rest.next], [[4], 4]);
      const none = await index().search({ afterIndex: 4, action: 'push', limit: 2 });
      assert.deepEqual([none.records, none.next], [[], 4]);
    });

    it('ends the work for one page, and the pages together find everything', async () => {
      const everyone = { kind: 'user', id: 'u', name: 'everyone', via: 'basic' } as const;
      const count = 21_000;
      await index().append(
        Array.from({ length: count }, (_, at) =>
          record(at, {
            principal: everyone,
            action: at % 2 === 0 ? 'pull' : 'push',
            ...(at === 7 || at === 20_000 ? { outcome: 'refused' } : {}),
            ...(at % 2 === 0 ? { repository: 'even' } : { repository: 'odd' }),
          }),
        ),
      );
      const all: number[] = [];
      const asked = { user: 'everyone', action: 'push', repository: 'even', limit: 10 } as const;
      let [pages, next] = [0, (await index().search(asked)).next];
      while (next !== undefined) {
        const page = await index().search({ ...asked, beforeIndex: next });
        all.push(...page.records.map((one) => one.index));
        [pages, next] = [pages + 1, page.next];
      }
      assert.deepEqual(all, []);
      assert.ok(pages >= 1);
      const counted = new Map<string, number>();
      let before: number | undefined;
      do {
        const page = await index().count({
          ...{ by: 'action', user: 'everyone' },
          ...(before === undefined ? {} : { beforeIndex: before }),
        });
        for (const one of page.counts) counted.set(one.value, (counted.get(one.value) ?? 0) + one.count);
        before = page.next;
      } while (before !== undefined);
      assert.deepEqual(Object.fromEntries(counted), { pull: count / 2, push: count / 2 });
    }).timeout(60_000);

    it('ends a page of long records early, so that it goes through any line between processes', async () => {
      const note = '\u{1F433}'.repeat(7000);
      await index().append(Array.from({ length: 200 }, (_, at) => record(at, { note, requestId: 'one' })));
      for (const asked of [{}, { requestId: 'one' }, { action: 'pull' }]) {
        const seen: number[] = [];
        let next: number | undefined;
        do {
          const page = await index().search({
            ...asked,
            limit: 1000,
            ...(next === undefined ? {} : { beforeIndex: next }),
          });
          assert.ok(Buffer.byteLength(JSON.stringify(page)) < 6_000_000);
          seen.push(...page.records.map((one) => one.index));
          next = page.next;
        } while (next !== undefined);
        assert.deepEqual(
          seen,
          Array.from({ length: 200 }, (_, at) => 199 - at),
        );
      }
    });

    it('counts by values that are long, the most frequent ones, as many as an answer holds', async () => {
      await index().append(
        Array.from({ length: 600 }, (_, at) => record(at, { action: `${at}`.padEnd(2000, 'x') })),
      );
      const { counts } = await index().count({ by: 'action' });
      assert.equal(counts.length, 300);
    });

    it('counts by day and by value, with and without conditions', async () => {
      const at = (day: number, overrides: Partial<AccessRecord>, index: number) =>
        record(index, { time: `2026-01-0${day}T10:00:00.000000Z`, ...overrides });
      const alice = { kind: 'user', id: 'a', name: 'alice', via: 'basic' } as const;
      const refused = (reason: string, status = 403) => ({ outcome: 'refused', reason, status }) as const;
      const reasons = [{ policy: 'default', rule: 'secrets', findings: [] }];
      await index().append([
        at(1, { principal: alice }, 0),
        at(1, { ...refused('policy.secrets'), verdict: { outcome: 'block', reasons } }, 1),
        at(2, { principal: alice, ...refused('policy') }, 2),
        at(2, refused('limit.sign-in', 429), 3),
      ]);
      const counts = async (query: Parameters<ReturnType<typeof index>['count']>[0]) => {
        const { counts: all, next } = await index().count(query);
        assert.equal(next, undefined);
        return Object.fromEntries(all.map(({ value, count }) => [value, count]));
      };
      // Of sums, and of the same records read one by one: a bound within a day keeps it from the sums.
      for (const untilMs of [undefined, Date.parse('2026-01-02T23:00:00Z')]) {
        const within = untilMs === undefined ? {} : { untilMs };
        assert.deepEqual(await counts({ by: 'day', ...within }), { '2026-01-01': 2, '2026-01-02': 2 });
        assert.deepEqual(await counts({ by: 'day', user: 'alice', ...within }), {
          '2026-01-01': 1,
          '2026-01-02': 1,
        });
        assert.deepEqual(await counts({ by: 'outcome', ...within }), { allowed: 1, refused: 2, limited: 1 });
        assert.deepEqual(await counts({ by: 'reason', ...within }), {
          'policy.secrets': 1,
          policy: 1,
          'limit.sign-in': 1,
        });
        assert.deepEqual(await counts({ by: 'rule', ...within }), { 'default/secrets': 1 });
        assert.deepEqual(await counts({ by: 'user', ...within }), { alice: 2 });
      }
      assert.deepEqual(await counts({ by: 'outcome', user: 'alice' }), { allowed: 1, refused: 1 });
      assert.deepEqual(
        await counts({ by: 'action', sinceMs: Date.parse('2026-01-02'), untilMs: Date.parse('2026-01-03') }),
        { pull: 2 },
      );
      assert.deepEqual(await counts({ by: 'action', user: 'nobody' }), {});
    });

    it('forgets its oldest records, in pages, and what counted them', async () => {
      await index().append(Array.from({ length: 10 }, (_, at) => record(at)));
      assert.equal(await index().removeBelow(6, 4), 4);
      assert.equal(await index().removeBelow(6, 4), 2);
      assert.equal(await index().removeBelow(6, 4), 0);
      assert.deepEqual(await found({ action: 'pull' }), [9, 8, 7, 6]);
      assert.deepEqual((await index().count({ by: 'action' })).counts, [{ value: 'pull', count: 4 }]);
      assert.equal(await index().nextIndex(), 10);
    });

    it('says how far it reaches', async () => {
      assert.deepEqual(await index().state(), { nextIndex: 0 });
      await index().append([record(0), record(1)]);
      assert.deepEqual(await index().state(), { nextIndex: 2, newestMs: START_MS + 1000 });
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
