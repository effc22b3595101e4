import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Kysely, SqliteDialect, sql } from 'kysely';
import { StoreConflict, StoreUnavailable } from '../../../src/store/index.ts';
import { nodeSqlite } from '../../../src/store/sqlite/adapter.ts';

interface Tables {
  things: { id: string; value: unknown };
}

describe('kysely over node:sqlite', () => {
  let database: DatabaseSync;
  let things: Kysely<Tables>;
  const over = (opened: DatabaseSync, isReadOnly = false) =>
    new Kysely<Tables>({ dialect: new SqliteDialect({ database: nodeSqlite(opened, { isReadOnly }) }) });
  beforeEach(() => {
    database = new DatabaseSync(':memory:');
    database.exec('create table things (id text primary key, value any)');
    things = over(database);
  });
  afterEach(() => {
    if (database.isOpen) database.close();
  });
  const put = (id: string, value: unknown) => things.insertInto('things').values({ id, value }).execute();

  it('takes the values that node:sqlite does not', async () => {
    const at = new Date(0);
    const given = {
      yes: true,
      no: false,
      none: undefined,
      at,
      big: 5n,
      bytes: new Uint8Array([1]),
      text: 'a\u0000b',
    };
    for (const [id, value] of Object.entries(given)) {
      await sql`insert into things values (${id}, ${value})`.execute(things);
    }
    const rows = await things.selectFrom('things').selectAll().execute();
    assert.deepEqual(Object.fromEntries(rows.map(({ id, value }) => [id, value])), {
      yes: 1,
      no: 0,
      none: null,
      at: '1970-01-01T00:00:00.000Z',
      big: 5,
      bytes: new Uint8Array([1]),
      text: 'a\u0000b',
    });
  });

  it('refuses an object as a value: it would be a bug', async () => {
    await assert.rejects(put('a', { nested: 1 }), TypeError);
  });

  it('gives back rows of returning, and counts of the rest', async () => {
    const returned = await things
      .insertInto('things')
      .values({ id: 'a', value: 1 })
      .returning('id')
      .execute();
    assert.deepEqual(
      returned.map(({ id }) => id),
      ['a'],
    );
    assert.equal((await things.deleteFrom('things').executeTakeFirst()).numDeletedRows, 1n);
  });

  it('streams', async () => {
    for (const id of ['a', 'b']) await put(id, 1);
    const seen: string[] = [];
    for await (const row of things.selectFrom('things').selectAll().orderBy('id').stream()) seen.push(row.id);
    assert.deepEqual(seen, ['a', 'b']);
  });

  it('keeps statements, but not all of them', () => {
    const adapter = nodeSqlite(database, { isReadOnly: false });
    const first = adapter.prepare('select 0');
    assert.equal(adapter.prepare('select 0'), first);
    for (let at = 1; at < 500; at++) adapter.prepare(`select ${at}`);
    assert.equal(adapter.prepare('select 0'), first);
    for (let at = 500; at < 1000; at++) adapter.prepare(`select ${at}`);
    assert.notEqual(adapter.prepare('select 0'), first);
  });

  it('tells a conflict from an outage, and keeps the cause', async () => {
    await put('a', 1);
    await assert.rejects(put('a', 2), (error) => {
      assert.ok(error instanceof StoreConflict && error.reason === 'taken');
      assert.ok(error.cause instanceof Error);
      assert.doesNotMatch(error.message, /things|UNIQUE/);
      return true;
    });
    const missing = sql`select * from nowhere`.execute(things);
    await assert.rejects(missing, (error) => {
      assert.ok(error instanceof StoreUnavailable);
      assert.equal(error.code, 'DG_STORE_UNAVAILABLE');
      assert.equal(error.status, 503);
      assert.doesNotMatch(error.message, /nowhere/);
      return true;
    });
  });

  it('tells what refers to nothing as a conflict', async () => {
    database.exec('create table parts (thing text references things (id))');
    await assert.rejects(sql`insert into parts values ('none')`.execute(things), { reason: 'unknown' });
  });

  it('is unavailable when closed', async () => {
    database.close();
    await assert.rejects(put('a', 1), StoreUnavailable);
  });

  it('is unavailable when full, keeps what was before, and works again when there is room', async () => {
    await put('before', 1);
    database.exec('pragma max_page_count = 10');
    const big = 'x'.repeat(200_000);
    const overflow = things.transaction().execute(async (transaction) => {
      await transaction.insertInto('things').values({ id: 'small', value: 1 }).execute();
      await transaction.insertInto('things').values({ id: 'big', value: big }).execute();
    });
    await assert.rejects(overflow, (error) => {
      assert.ok(error instanceof StoreUnavailable);
      assert.match(String(error.cause), /full/);
      return true;
    });
    const ids = async () => (await things.selectFrom('things').select('id').execute()).map(({ id }) => id);
    assert.deepEqual(await ids(), ['before']);
    database.exec('pragma max_page_count = 1000');
    await put('big', big);
    assert.deepEqual(await ids(), ['before', 'big']);
  });

  it('reports a rollback that SQLite did by itself as the error that caused it', async () => {
    const failing = things.transaction().execute(async (transaction) => {
      await transaction.insertInto('things').values({ id: 'a', value: 1 }).execute();
      database.exec('rollback');
      throw new Error('the cause');
    });
    await assert.rejects(failing, /the cause/);
  });

  describe('with a second process at the same file', () => {
    let directory: string;
    beforeEach(async () => {
      directory = await mkdtemp(join(tmpdir(), 'dockgate-store-'));
    });
    afterEach(() => rm(directory, { recursive: true }));

    it('is unavailable while the other writes too long, takes its turn at the start, and reads on (F-13)', async () => {
      const path = join(directory, 'x.db');
      const other = new DatabaseSync(path);
      other.exec('pragma journal_mode = wal; create table things (id text primary key, value any)');
      const mine = new DatabaseSync(path, { timeout: 10 });
      const reader = new DatabaseSync(path, { timeout: 10, readOnly: true });
      try {
        other.exec('begin immediate');
        let isStarted = false;
        const writing = over(mine)
          .transaction()
          .execute(async () => {
            isStarted = true;
          });
        await assert.rejects(writing, (error) => {
          assert.ok(error instanceof StoreUnavailable);
          assert.match(String(error.cause), /locked/);
          return true;
        });
        assert.equal(isStarted, false);
        const read = over(reader, true)
          .transaction()
          .execute((transaction) => transaction.selectFrom('things').selectAll().execute());
        assert.deepEqual(await read, []);
      } finally {
        for (const opened of [other, mine, reader]) opened.close();
      }
    });

    it('cannot write through a reading connection', async () => {
      const path = join(directory, 'x.db');
      const writer = new DatabaseSync(path);
      writer.exec('create table things (id text primary key, value any)');
      writer.close();
      const reader = new DatabaseSync(path, { readOnly: true });
      const insert = over(reader, true).insertInto('things').values({ id: 'a', value: 1 }).execute();
      await assert.rejects(insert, StoreUnavailable);
      reader.close();
    });
  });
});
