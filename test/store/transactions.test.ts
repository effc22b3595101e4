import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Change, systemClock } from '../../src/base/index.ts';
import { openForReading, openForWriting } from '../../src/store/sqlite/open-file.ts';
import { SCANS } from '../../src/store/sqlite/schemas.ts';
import type { ScanSql, ScanTables } from '../../src/store/tables.ts';
import { createWrite } from '../../src/store/transactions.ts';
import { digestOf, repository } from '../contracts/store-bench.ts';
import { openAt } from './bench.ts';

const JOB = {
  digest: digestOf('m'),
  repository: repository('team/app'),
  priority: 0,
  attempts: 0,
  queued_at_ms: 0,
  not_before_ms: 0,
  held_until_ms: 0,
};

describe('a write', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'dockgate-store-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  const withFiles = async (work: (writer: ScanSql, reader: ScanSql) => Promise<void>) => {
    const writing = openForWriting<ScanTables>({ directory, kind: SCANS });
    const reading = openForReading<ScanTables>({ directory, kind: SCANS });
    try {
      await work(writing.sql, reading.sql);
    } finally {
      await reading.close();
      await writing.close();
    }
  };
  const countOf = async (sql: ScanSql) => (await sql.selectFrom('jobs').select('digest').execute()).length;

  it('is seen by readers after it commits and before its changes are published, not earlier', async () => {
    await withFiles(async (writer, reader) => {
      const seen: number[] = [];
      const write = createWrite(writer, async () => {
        seen.push(await countOf(reader));
      });
      await write(async (sql, changed) => {
        await sql.insertInto('jobs').values(JOB).execute();
        seen.push(await countOf(reader));
        changed('facts', 'x');
      });
      assert.deepEqual(seen, [0, 1]);
    });
  });

  it('resolves only after its changes have reached everybody', async () => {
    const waiting: (() => void)[] = [];
    const store = await openAt(directory, systemClock, () => new Promise((resolve) => waiting.push(resolve)));
    let isDone = false;
    const write = store.accounts.addGroup({ id: 'g', name: 'team' }).then(() => {
      isDone = true;
    });
    while (waiting.length === 0) await new Promise(setImmediate);
    assert.equal((await store.accounts.listGroups()).length, 1);
    assert.equal(isDone, false);
    waiting[0]?.();
    await write;
    await store.close();
  });

  it('rejects when its changes could not be published, so that nobody is told that it holds everywhere', async () => {
    const lost = new Error('a worker does not answer');
    const store = await openAt(directory, systemClock, async () => {
      throw lost;
    });
    await assert.rejects(store.accounts.addGroup({ id: 'g', name: 'team' }), lost);
    await store.close();
  });

  it('does not hold up other writes while its changes are published', async () => {
    const published: (readonly Change[])[] = [];
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const store = await openAt(directory, systemClock, (changes) => {
      published.push(changes);
      return published.length === 1 ? held : Promise.resolve();
    });
    const first = store.accounts.addGroup({ id: 'g', name: 'one' });
    await store.accounts.addGroup({ id: 'h', name: 'two' });
    assert.equal(published.length, 2);
    release();
    await first;
    await store.close();
  });

  it('that fails leaves nothing and publishes nothing', async () => {
    await withFiles(async (writer, reader) => {
      const published: unknown[] = [];
      const write = createWrite(writer, async (changes) => {
        published.push(changes);
      });
      const failure = write(async (sql, changed) => {
        await sql.insertInto('jobs').values(JOB).execute();
        changed('links');
        throw new Error('stop');
      });
      await assert.rejects(failure, /stop/);
      assert.equal(await countOf(reader), 0);
      assert.deepEqual(published, []);
    });
  });

  it('waits for the one before it', async () => {
    await withFiles(async (writer) => {
      const write = createWrite(writer, async () => {});
      const order: string[] = [];
      const step = (name: string) =>
        write(async (sql) => {
          order.push(`${name} begins`);
          for (let at = 0; at < 5; at++) await countOf(sql);
          order.push(`${name} ends`);
        });
      await Promise.all([step('a'), step('b'), step('c')]);
      assert.deepEqual(
        order,
        ['a', 'b', 'c'].flatMap((name) => [`${name} begins`, `${name} ends`]),
      );
    });
  });

  it('that has begun is kept when the store is closed meanwhile', async () => {
    const store = await openAt(directory);
    const writes = ['one', 'two', 'three'].map((name) => store.accounts.addGroup({ id: name, name }));
    const [results] = await Promise.all([Promise.allSettled(writes), store.close()]);
    const kept = results.filter(({ status }) => status === 'fulfilled').length;
    const again = await openAt(directory);
    assert.equal((await again.accounts.listGroups()).length, kept);
    await again.close();
  });
});
