import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { addHold, loadOrCreateLogKey, verifyLog } from '../../src/audit/index.ts';
import { TILE_WIDTH } from '../../src/audit/tree.ts';
import { createManualClock } from '../../src/base/index.ts';
import { FILE_DAMAGES, type OtherFiles } from './damages.ts';
import { createLab, entry, type Lab, recordMany } from './lab.ts';

/**
 * What nobody can find, since it is also what a crash leaves: an earlier copy of a note that only saves work at a start.
 * An older checkpoint beside it is found.
 */
const AS_AFTER_A_CRASH = ['log/positions', 'log/transfers'];

/** Files of a log whose oldest records were removed and whose key was exchanged, by their names in the directory. */
type Files = ReadonlyMap<string, Buffer>;

interface Server {
  readonly lab: Lab;
  /** The key that the auditor holds: the first one. */
  readonly publicKey: string;
  readonly files: Files;
  readonly older: Files;
}

describe('every file of a log, damaged in every way (A-06 to A-10)', function () {
  this.timeout(300_000);
  let server: Server;
  let foreign: Server;

  before(async () => {
    server = await createServer();
    foreign = await createServer();
  });
  after(async () => {
    await server?.lab.end();
    await foreign?.lab.end();
  });

  const path = (name: string): string => join(server.lab.directory, name);
  const verify = () =>
    verifyLog({ directory: server.lab.directory, publicKey: server.publicKey, threads: 1 });
  const logFiles = (): readonly string[] =>
    [...server.files.keys()].filter((name) => name.startsWith('log/'));

  function othersOf(name: string): OtherFiles {
    const alike = logFiles().filter((other) => dirname(other) === dirname(name));
    const next = alike[(alike.indexOf(name) + 1) % alike.length] ?? name;
    return {
      older: server.older.get(name),
      foreign: foreign.files.get(name),
      neighbour: server.files.get(next),
    };
  }

  it('is looked at as a whole: records, tiles of each level and width, and each note', () => {
    const kinds = new Set(logFiles().map(kindOf));
    assert.deepEqual([...kinds].sort(), [
      'bundle',
      'checkpoint',
      'key.pub',
      'partial bundle',
      'partial tile',
      'positions',
      'pruned',
      'rotation-1',
      'tile',
      'transfers',
    ]);
    assert.ok(logFiles().length >= 15, `${logFiles().length} files`);
    assert.ok(FILE_DAMAGES.length >= 40, `${FILE_DAMAGES.length} kinds of damage`);
  });

  it('is clean before anybody did, by the first key and by the newest alone', async () => {
    const report = await verify();
    assert.deepEqual([report.damage, report.keptFrom, report.rotations], [undefined, 256, 1]);
    assert.equal((await server.lab.verify()).damage, undefined);
  });

  for (const { what, change } of FILE_DAMAGES) {
    it(`is found with ${what}, and the file or its records are named`, async () => {
      let tried = 0;
      for (const name of logFiles()) {
        const sound = server.files.get(name) ?? Buffer.alloc(0);
        const bad = change(sound, othersOf(name));
        if (bad?.equals(sound)) continue;
        if (bad === undefined && (what !== 'removed' || isOlderPartial(name))) continue;
        if (what.includes('earlier day') && AS_AFTER_A_CRASH.includes(name)) continue;
        tried += 1;
        if (bad === undefined) await rm(path(name));
        else await writeFile(path(name), bad);
        try {
          await assertFound(name);
        } finally {
          await writeFile(path(name), sound);
        }
      }
      assert.ok(tried > 0, 'nothing was tried');
    });
  }

  it('is found with a directory in its place', async () => {
    for (const name of logFiles()) {
      await rename(path(name), path('aside'));
      await mkdir(path(name));
      try {
        await assertFound(name);
      } finally {
        await rm(path(name), { recursive: true });
        await rename(path('aside'), path(name));
      }
    }
  });

  it('is found with any two of a kind swapped', async () => {
    for (const name of logFiles()) {
      const { neighbour } = othersOf(name);
      const other = [...server.files].find(([, bytes]) => bytes === neighbour)?.[0];
      const sound = server.files.get(name);
      if (neighbour === undefined || other === undefined || sound === undefined || other === name) continue;
      await writeFile(path(name), neighbour);
      await writeFile(path(other), sound);
      assert.equal((await verify()).isClean, false, `${name} and ${other}`);
      await writeFile(path(name), sound);
      await writeFile(path(other), neighbour);
    }
  });

  it('is found where a hold cannot be read, which keeps anything from being removed', async () => {
    const name = 'holds/case-7.json';
    const sound = server.files.get(name) ?? Buffer.alloc(0);
    for (const bad of ['', '{', '[]', '{"name":"case-7"}', sound.toString().replace('"user"', '"usr"')]) {
      await writeFile(path(name), bad);
      const { damage } = await verify();
      assert.equal(damage?.kind, 'note', bad);
      assert.match(damage?.message ?? '', /case-7\.json/);
    }
    await writeFile(path(name), sound);
  });

  it('says where it stands when a private key is damaged: nothing is signed with another one', async () => {
    const name = 'keys/log.pem';
    const sound = server.files.get(name) ?? Buffer.alloc(0);
    const bad = ['', 'no key', sound.toString().slice(0, 60), foreign.files.get(name)?.toString() ?? ''];
    for (const text of bad) {
      await writeFile(path(name), text);
      await assert.rejects(server.lab.openSequencer(), { name: 'StartError' });
    }
    await rm(path(name));
    await assert.rejects(server.lab.openSequencer(), /belongs to the key/);
    await writeFile(path(name), sound);
    assert.equal((await verify()).damage, undefined, 'auditors need no private key');
  });

  /** Tiles of older checkpoints may go at any time (C2SP tlog-tiles, "Partial Tiles"); while they are there they are right. */
  function isOlderPartial(name: string): boolean {
    const width = (other: string): number => Number(/\.p\/(\d+)$/.exec(other)?.[1] ?? 0);
    return logFiles().some((other) => dirname(other) === dirname(name) && width(other) > width(name));
  }

  /** The damage is found, and what it says leads to the file. */
  async function assertFound(name: string): Promise<void> {
    const { damage, isClean } = await verify();
    assert.equal(isClean, false, name);
    const message = `${name}: ${damage?.message}`;
    const range = rangeOf(name);
    if (range === undefined) {
      const isNamed = ['note', 'checkpoint'].includes(damage?.kind ?? '');
      // Without the note that tells it, what was removed in good order is simply gone.
      const isGone = name === 'log/pruned' && damage?.index === 0;
      const isOlder = damage?.kind === 'older-copy';
      assert.ok(isNamed || isGone || isOlder, message);
      return;
    }
    const index = damage?.index ?? -1;
    assert.ok(index >= range.first && index <= range.end, `${message} (at ${index})`);
  }
});

async function createServer(): Promise<Server> {
  const lab = await createLab();
  const clock = createManualClock();
  const writers = [
    await lab.openWriter({ writer: 'w1', clock }),
    await lab.openWriter({ writer: 'w2', clock }),
  ];
  const [first] = writers;
  assert.ok(first !== undefined);
  const sequencer = await lab.openSequencer({
    clock,
    retention: { bytesMax: 1 },
    pruneMs: 0,
    note: (told) => first.note(told),
  });
  // From the second bundle on everything is held.
  const holdFrom = { name: 'case-7', reason: 'for ever', since: '', filter: { user: 'kept' } };
  await addHold(lab.directory, holdFrom);
  const fill = async (to: number): Promise<void> => {
    while (sequencer.size() < to) {
      const each = Math.max(1, Math.min(50, Math.floor((to - sequencer.size()) / 2)));
      await Promise.all(writers.map((writer) => recordMany(writer, each)));
      await sequencer.step();
    }
  };
  await first.record(entry());
  await sequencer.step();
  const publicKey = await readFile(join(lab.directory, 'log/key.pub'), 'utf8');
  await fill(255);
  for (let count = 0; count < 4; count += 1) {
    await first.record(entry({ principal: { kind: 'user', id: 'u1', name: 'kept', via: 'basic' } }));
  }
  await fill(600);
  await loadOrCreateLogKey(join(lab.directory, 'keys/log.next.pem'));
  while ((await readFile(join(lab.directory, 'log/key.pub'), 'utf8')) === publicKey) await sequencer.step();
  await fill(700);
  const older = await readAll(lab.directory);
  await fill(1100);
  await sequencer.close();
  for (const writer of writers) await writer.close();
  return { lab, publicKey, older, files: await readAll(lab.directory) };
}

async function readAll(directory: string): Promise<Files> {
  const files = new Map<string, Buffer>();
  const found = await readdir(directory, { recursive: true, withFileTypes: true });
  for (const each of found.filter((one) => one.isFile())) {
    const path = join(each.parentPath, each.name);
    files.set(relative(directory, path), await readFile(path));
  }
  return new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function kindOf(name: string): string {
  if (!name.startsWith('log/tile/')) return name.slice('log/'.length);
  const kind = name.startsWith('log/tile/entries/') ? 'bundle' : 'tile';
  return name.includes('.p/') ? `partial ${kind}` : kind;
}

/** The records that a tile is about. */
function rangeOf(name: string): { readonly first: number; readonly end: number } | undefined {
  const match = /^log\/tile\/(entries|\d)\/(\d{3})(\.p\/\d+)?$/.exec(name);
  if (!match) return undefined;
  const span = TILE_WIDTH ** (match[1] === 'entries' ? 1 : Number(match[1]) + 1);
  return { first: Number(match[2]) * span, end: (Number(match[2]) + 1) * span };
}
