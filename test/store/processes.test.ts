import assert from 'node:assert/strict';
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../src/base/index.ts';
import type { StoreWrites } from '../../src/store/index.ts';
import { migrate } from '../../src/store/sqlite/migrate.ts';
import { AUDIT_INDEX, type DatabaseKind, MAIN, SCANS } from '../../src/store/sqlite/schemas.ts';
import { digestOf, image, repository, tag } from '../contracts/store-bench.ts';
import { openAt } from './bench.ts';

const APP = repository('team/app');

describe('a database and its processes', function () {
  this.timeout(120_000);
  let parent: string;
  let directory: string;
  const children: ChildProcessByStdio<Writable, Readable, null>[] = [];
  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), 'dockgate-store-'));
    directory = join(parent, 'data');
  });
  afterEach(async () => {
    for (const child of children.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    await rm(parent, { recursive: true });
  });

  const start = (mode: 'write' | 'read') => {
    const script = fileURLToPath(import.meta.resolve('../support/store-process.ts'));
    const child = spawn(process.execPath, [script, mode, directory], { stdio: ['pipe', 'pipe', 'inherit'] });
    children.push(child);
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    return {
      child,
      async line(): Promise<string> {
        const next = await lines.next();
        if (next.done) throw new Error('the process ended');
        return next.value;
      },
    };
  };
  const push = (store: StoreWrites, name: string) =>
    store.links.linkManifest({
      repository: APP,
      digest: digestOf(name),
      size: 1,
      manifest: image([`${name}-layer`]),
      tags: [tag('latest')],
      tagRights: { mayCreate: true, mayOverwrite: true },
      requireContent: false,
      nowMs: 0,
    });

  it('keep every acknowledged push whole, and of the others all or nothing, over kill -9 (F-24)', async () => {
    for (const acknowledgedMin of [1, 7, 40]) {
      const { child, line } = start('write');
      let acknowledged = -1;
      while (acknowledged < acknowledgedMin) acknowledged = Number(await line());
      child.kill('SIGKILL');
      await once(child, 'exit');
      const store = await openAt(directory);
      for (let at = 0; at <= acknowledged + 50; at++) {
        const isLinked = (await store.links.findManifest(APP, digestOf(`m${at}`))) !== undefined;
        if (at <= acknowledged) assert.ok(isLinked, `push ${at} was acknowledged and is lost`);
        for (const name of ['x', 'y', 'z']) {
          const digest = await store.links.findTag(APP, tag(`${name}${at}`));
          assert.equal(digest, isLinked ? digestOf(`m${at}`) : undefined);
        }
        if (!isLinked) continue;
        for (const blob of [`a${at}`, `b${at}`, `c${at}`, `a${at}-config`]) {
          assert.equal((await store.links.findBlob(APP, digestOf(blob)))?.owner, 'origin');
        }
      }
      await store.close();
    }
  });

  it('show what is committed to a reader in another process before the write resolves', async () => {
    let reader: ReturnType<typeof start> | undefined;
    const seen: string[] = [];
    const store = await openAt(directory, systemClock, async () => {
      reader?.child.stdin.write('latest\n');
      if (reader) seen.push(await reader.line());
    });
    reader = start('read');
    assert.equal(await reader.line(), 'open');
    for (const name of ['one', 'two', 'three']) await push(store, name);
    assert.deepEqual(seen, ['one', 'two', 'three'].map(digestOf));
    await store.links.removeTag(APP, tag('latest'));
    assert.equal(seen.at(-1), 'none');
    reader.child.stdin.end();
    await once(reader.child, 'exit');
    await store.close();
  });

  it('let a reader read on while the writer is killed and a new one starts', async () => {
    const writer = start('write');
    await writer.line();
    const reader = start('read');
    assert.equal(await reader.line(), 'open');
    const ask = async (name: string) => {
      reader.child.stdin.write(`${name}\n`);
      return reader.line();
    };
    for (let at = 0; at < 20; at++) assert.equal(await ask('x0'), digestOf('m0'));
    writer.child.kill('SIGKILL');
    await once(writer.child, 'exit');
    assert.equal(await ask('x0'), digestOf('m0'));
    const store = await openAt(directory);
    await push(store, 'after');
    assert.equal(await ask('latest'), digestOf('after'));
    await store.close();
    assert.equal(await ask('latest'), digestOf('after'));
  });

  it('get their schema whole when killed at any statement of it (F-15)', async () => {
    for (const kind of [MAIN, SCANS, AUDIT_INDEX]) {
      const count = kind.migrations.flatMap(({ statements }) => statements).length;
      for (let at = 0; at <= count; at++) {
        const copy = join(parent, `${kind.file}-${at}`);
        migrateAndCopy(kind, at, copy);
        directory = copy;
        const store = await openAt(directory);
        await push(store, 'm');
        await store.jobs.put({ repository: APP, digest: digestOf('m'), priority: 'pull' }, 0);
        assert.deepEqual(await store.recordIndex.search({ limit: 1 }), { records: [] });
        await store.close();
      }
    }
  });

  /**
   * Brings a new file up to date and copies it away before the statement of this number, in the middle of its
   * transaction: what the disk would hold if the process were killed there.
   */
  const migrateAndCopy = (kind: DatabaseKind, statementAt: number, copy: string) => {
    const original = join(parent, `original-${kind.file}-${statementAt}`);
    mkdirSync(original);
    const database = new DatabaseSync(join(original, kind.file));
    database.exec('pragma journal_mode = wal');
    database.function('copy_away', () => {
      cpSync(original, copy, { recursive: true });
      return 0;
    });
    let at = 0;
    const migrations = kind.migrations.map(({ name, statements }) => ({
      name,
      statements: statements.flatMap((statement) =>
        at++ === statementAt ? ['select copy_away()', statement] : [statement],
      ),
    }));
    migrate(database, original, migrations);
    database.close();
    if (at === statementAt) cpSync(original, copy, { recursive: true });
  };
});
