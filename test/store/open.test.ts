import assert from 'node:assert/strict';
import { chmodSync, existsSync } from 'node:fs';
import { mkdir, mkdtemp, open, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { sql } from 'kysely';
import { StartError, silentLogger } from '../../src/base/index.ts';
import { openStoreReads } from '../../src/store/index.ts';
import { openForWriting } from '../../src/store/sqlite/open-file.ts';
import { AUDIT_INDEX, type DatabaseKind, MAIN, SCANS } from '../../src/store/sqlite/schemas.ts';
import type { MainTables } from '../../src/store/tables.ts';
import { digestOf, image, repository, tag } from '../contracts/store-bench.ts';
import { openAt } from './bench.ts';

const APP = repository('team/app');
const PAGE_BYTES = 4096;
const FILES = ['dockgate.db', 'scans.db', 'audit-index.db'];

describe('the databases of a data directory', () => {
  let parent: string;
  let directory: string;
  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), 'dockgate-store-'));
    directory = join(parent, 'data');
  });
  afterEach(() => rm(parent, { recursive: true }));

  const startError =
    (...parts: readonly (string | RegExp)[]) =>
    (error: unknown) => {
      assert.ok(error instanceof StartError, String(error));
      for (const part of parts) assert.match(error.message, new RegExp(part));
      return true;
    };
  /** Enough rows to fill many pages. */
  const fill = async () => {
    const store = await openAt(directory);
    for (let at = 0; at < 60; at++) {
      await store.links.linkManifest({
        repository: APP,
        digest: digestOf(`m${at}`),
        size: 1,
        manifest: image(Array.from({ length: 20 }, (_, layer) => `layer-${at}-${layer}`)),
        tags: [tag(`t${at}`)],
        tagRights: { mayCreate: true, mayOverwrite: true },
        requireContent: false,
        nowMs: 0,
      });
    }
    for (let at = 0; at < 300; at++) {
      const job = { repository: APP, digest: digestOf(`m${at}`), priority: 'push' } as const;
      await store.jobs.put(job, at);
    }
    await store.close();
  };

  it('are private to their owner whatever the umask, with the files beside them', async () => {
    for (const umask of [0o000, 0o777]) {
      const before = process.umask(umask);
      directory = join(parent, `umask-${umask}`);
      try {
        const store = await openAt(directory);
        await store.facts.seeDigest(digestOf('m'), 'image', 1);
        assert.equal((await stat(directory)).mode & 0o777, 0o700);
        const names = await readdir(directory);
        assert.deepEqual(names.filter((name) => name.endsWith('.db')).sort(), [...FILES].sort());
        assert.ok(names.includes('dockgate.db-wal'));
        for (const name of names) {
          assert.equal((await stat(join(directory, name))).mode & 0o777, 0o600, name);
        }
        await store.close();
      } finally {
        process.umask(before);
      }
    }
  });

  it('are closed to others at the next start when somebody opened them', async () => {
    await (await openAt(directory)).close();
    for (const name of FILES) chmodSync(join(directory, name), 0o666);
    const store = await openAt(directory);
    for (const name of FILES) assert.equal((await stat(join(directory, name))).mode & 0o777, 0o600);
    await store.close();
  });

  it('keep what they hold over a restart', async () => {
    await fill();
    const store = await openAt(directory);
    assert.equal(await store.links.findTag(APP, tag('t59')), digestOf('m59'));
    assert.equal(await store.jobs.count(), 300);
    await store.close();
  });

  it('reach the disk with every commit where nothing could be rebuilt', async () => {
    await (await openAt(directory)).close();
    const settingOf = async (kind: DatabaseKind, name: 'synchronous' | 'journal_mode' | 'foreign_keys') => {
      const file = openForWriting<MainTables>({ directory, kind });
      const { rows } = await sql<Record<string, unknown>>`pragma ${sql.raw(name)}`.execute(file.sql);
      await file.close();
      return rows[0]?.[name];
    };
    const full = 2;
    assert.equal(await settingOf(MAIN, 'synchronous'), full);
    assert.equal(await settingOf(MAIN, 'foreign_keys'), 1);
    for (const kind of [MAIN, SCANS, AUDIT_INDEX]) assert.equal(await settingOf(kind, 'journal_mode'), 'wal');
  });

  describe('when damaged (F-14)', () => {
    const smash = async (file: string, from: number, length: number) => {
      const handle = await open(join(directory, file), 'r+');
      await handle.write(Buffer.alloc(length, 0xa5), 0, length, from);
      await handle.close();
    };

    it('stop the start, name the file and say what to do', async () => {
      const remedies = [/restore the file from a backup/, /queued again/, /rebuilt from the log/];
      for (const [at, file] of FILES.entries()) {
        await rm(directory, { recursive: true, force: true });
        await fill();
        await smash(file, 0, 100);
        await assert.rejects(openAt(directory), startError(join(directory, file), remedies[at] ?? /x/));
      }
    });

    it('are noticed in any page', async () => {
      await fill();
      for (const file of ['dockgate.db', 'scans.db']) {
        const path = join(directory, file);
        const whole = await readFile(path);
        const pages = whole.length / PAGE_BYTES;
        assert.ok(pages > 8, 'the test needs a database of several pages');
        for (let step = 1; step < 8; step++) {
          await smash(file, PAGE_BYTES * Math.floor((pages * step) / 8), 100);
          await assert.rejects(openAt(directory), startError(path, /damaged/));
          await writeFile(path, whole);
        }
      }
      await (await openAt(directory)).close();
    });

    it('are noticed where only a look at every page finds it', async () => {
      const store = await openAt(directory);
      const contact = 'long enough to need pages of its own '.repeat(1000);
      const policy = { name: 'p', match: ['**'], mode: 'warn', holdMs: 0, rules: {}, contact } as const;
      await store.facts.putPolicy(policy, 'api');
      await store.close();
      const path = join(directory, 'dockgate.db');
      const middle = (await readFile(path)).lastIndexOf('need pages of its own');
      await smash('dockgate.db', Math.floor(middle / PAGE_BYTES - 2) * PAGE_BYTES, 4);
      await assert.rejects(openAt(directory), startError(path, /is damaged/, /restore the file/));
    });

    it('are noticed when cut short', async () => {
      await fill();
      const path = join(directory, 'dockgate.db');
      await truncate(path, PAGE_BYTES * 5);
      await assert.rejects(openAt(directory), startError(path, /damaged/));
    });

    it('leave nothing open behind: the start succeeds once the file is mended', async () => {
      await fill();
      await smash('scans.db', 0, 100);
      await assert.rejects(openAt(directory), StartError);
      for (const name of await readdir(directory)) {
        if (name.startsWith('scans.db')) await rm(join(directory, name));
      }
      const store = await openAt(directory);
      assert.equal(await store.links.findTag(APP, tag('t1')), digestOf('m1'));
      await store.close();
    });

    it('are not mistaken for others', async () => {
      await mkdir(directory);
      await writeFile(join(directory, 'dockgate.db'), 'some text that is no database'.repeat(100));
      await assert.rejects(openAt(directory), startError(/no database/));
    });
  });

  describe('of another version (F-15, F-51)', () => {
    const setVersion = (file: string, change: string) => {
      const database = new DatabaseSync(join(directory, file));
      database.exec(change);
      database.close();
    };

    it('are refused when a newer one wrote them', async () => {
      for (const file of FILES) {
        await rm(directory, { recursive: true, force: true });
        await (await openAt(directory)).close();
        setVersion(file, "insert into schema_history (version, name) values (99, 'from the future')");
        const expected = startError(
          join(directory, file),
          /newer dockgate \(schema 99/,
          /start the newer version/,
        );
        await assert.rejects(openAt(directory), expected);
        if (file !== 'scans.db')
          await assert.rejects(openStoreReads({ directory }, { logger: silentLogger }), expected);
      }
    });

    it('are not read before they are brought up to date', async () => {
      await (await openAt(directory)).close();
      setVersion('dockgate.db', 'delete from schema_history where version > 1');
      await assert.rejects(
        openStoreReads({ directory }, { logger: silentLogger }),
        startError(/schema 1/, /start the server once/),
      );
    });
  });

  it('are not made by a reader', async () => {
    await assert.rejects(
      openStoreReads({ directory }, { logger: silentLogger }),
      startError(/does not exist/, /start dockgate/),
    );
    assert.equal(existsSync(directory), false);
  });

  it('stop the start when the directory is a file, or the file a directory', async () => {
    await writeFile(directory, '');
    await assert.rejects(openAt(directory), startError(directory));
    await rm(directory);
    await mkdir(join(directory, 'dockgate.db'), { recursive: true });
    await assert.rejects(openAt(directory), startError(join(directory, 'dockgate.db')));
  });

  it('answer a check while they are open', async () => {
    const store = await openAt(directory);
    await store.check();
    await store.close();
    await assert.rejects(store.check());
  });
});
