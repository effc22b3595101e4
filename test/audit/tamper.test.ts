import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { cp, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { signCheckpoint } from '../../src/audit/checkpoint.ts';
import { type DamageKind, loadOrCreateLogKey, type VerifyOptions, verifyLog } from '../../src/audit/index.ts';
import { createLogKey } from '../../src/audit/key.ts';
import { leafHash, nodeHash } from '../../src/audit/merkle.ts';
import { printVerifierKey } from '../../src/audit/note.ts';
import { decodeBundle, encodeBundle } from '../../src/audit/tiles.ts';
import { createTree } from '../../src/audit/tree.ts';
import { createLab, type Lab, recordMany } from './lab.ts';

/** The size of the log that is tampered with: two full bundles, and one of 188 entries. */
const SIZE = 700;
/** An older checkpoint of it. */
const OLD_SIZE = 300;

/** A copy of the sound log, in the hands of somebody who wants it otherwise. */
interface Copy {
  readonly directory: string;
  path(name: string): string;
  lines(bundle: string): Promise<Buffer[]>;
  writeLines(bundle: string, lines: readonly Buffer[]): Promise<void>;
  edit(name: string, change: (bytes: Buffer) => Buffer): Promise<void>;
}

const FIRST = 'log/tile/entries/000';
const SECOND = 'log/tile/entries/001';
const LAST = 'log/tile/entries/002.p/188';
const LAST_HASHES = 'log/tile/0/002.p/188';
const TOP = 'log/tile/1/000.p/2';

describe('verification of a log somebody tampered with', () => {
  let lab: Lab;
  let key: string;
  let oldCheckpoint: string;
  let oldPositions: string;
  let directory: string;

  before(async () => {
    lab = await createLab();
    const writers = [await lab.openWriter({ writer: 'w1' }), await lab.openWriter({ writer: 'w2' })];
    const sequencer = await lab.openSequencer();
    const fill = async (to: number): Promise<void> => {
      while (sequencer.size() < to) {
        const each = Math.min(50, (to - sequencer.size()) / 2);
        await Promise.all(writers.map((writer) => recordMany(writer, each)));
        await sequencer.step();
      }
    };
    await fill(OLD_SIZE);
    oldCheckpoint = await readFile(join(lab.directory, 'log/checkpoint'), 'utf8');
    oldPositions = await readFile(join(lab.directory, 'log/positions'), 'utf8');
    await fill(SIZE);
    key = await readFile(join(lab.directory, 'log/key.pub'), 'utf8');
    // Ten records of each writer wait for a checkpoint.
    await Promise.all(writers.map((writer) => recordMany(writer, 10)));
  });
  after(() => lab.end());

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'dockgate-tamper-'));
    await cp(lab.directory, directory, { recursive: true });
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  const copy = (): Copy => ({
    directory,
    path: (name) => join(directory, name),
    lines: async (bundle) => [...decodeBundle(await readFile(join(directory, bundle))).lines],
    writeLines: (bundle, lines) => writeFile(join(directory, bundle), encodeBundle(lines)),
    edit: async (name, change) => {
      const bytes = await readFile(join(directory, name));
      await writeFile(join(directory, name), change(Buffer.from(bytes)));
    },
  });
  const verify = (options: Partial<VerifyOptions> = {}) =>
    verifyLog({ directory, publicKey: key, ...options });

  it('is clean before anybody did, with and without the older checkpoint', async () => {
    const report = await verify();
    assert.deepEqual(
      [report.damage, report.isClean, report.size, report.waiting],
      [undefined, true, SIZE, 20],
    );
    assert.equal((await verify({ against: oldCheckpoint })).isClean, true);
  });

  /** What is done, the kind found, the record named (`told`: the one that `tamper` returns), and how it is done. */
  type Case = readonly [string, DamageKind, number | 'told' | undefined, (log: Copy) => Promise<unknown>];

  const edited = (line: Buffer): Buffer => Buffer.from(line.toString().replace('"allowed"', '"refused"'));

  const cases: readonly Case[] = [
    [
      'one word of a record edited',
      'edited',
      5,
      async (log) => {
        const lines = await log.lines(FIRST);
        await log.writeLines(
          FIRST,
          lines.map((line, at) => (at === 5 ? edited(line) : line)),
        );
      },
    ],
    [
      'the first record edited',
      'edited',
      0,
      async (log) => {
        const lines = await log.lines(FIRST);
        await log.writeLines(
          FIRST,
          lines.map((line, at) => (at === 0 ? edited(line) : line)),
        );
      },
    ],
    [
      'the last record edited',
      'edited',
      SIZE - 1,
      async (log) => {
        const lines = await log.lines(LAST);
        await log.writeLines(
          LAST,
          lines.map((line, at) => (at === 187 ? edited(line) : line)),
        );
      },
    ],
    [
      'two records edited, of which the first is named',
      'edited',
      258,
      async (log) => {
        const lines = await log.lines(SECOND);
        await log.writeLines(
          SECOND,
          lines.map((line, at) => (at === 2 || at === 9 ? edited(line) : line)),
        );
      },
    ],
    ['one bit of a record flipped', 'edited', 0, (log) => log.edit(FIRST, (bytes) => flip(bytes, 40))],
    ['one bit of a length flipped', 'edited', 0, (log) => log.edit(FIRST, (bytes) => flip(bytes, 1))],
    [
      'a record edited together with its hash in the tile',
      'rewritten',
      0,
      async (log) => {
        const lines = await log.lines(FIRST);
        const changed = lines.map((line, at) => (at === 5 ? edited(line) : line));
        await log.writeLines(FIRST, changed);
        await writeFile(log.path('log/tile/0/000'), Buffer.concat(changed.map(leafHash)));
      },
    ],
    [
      'a record of the second bundle edited together with its hash',
      'rewritten',
      256,
      async (log) => {
        const lines = await log.lines(SECOND);
        const changed = lines.map((line, at) => (at === 44 ? edited(line) : line));
        await log.writeLines(SECOND, changed);
        await writeFile(log.path('log/tile/0/001'), Buffer.concat(changed.map(leafHash)));
      },
    ],
    [
      'a record edited together with all tiles above it (A-07)',
      'rewritten',
      0,
      async (log) => {
        const lines = await log.lines(FIRST);
        const changed = lines.map((line, at) => (at === 5 ? edited(line) : line));
        await log.writeLines(FIRST, changed);
        await writeFile(log.path('log/tile/0/000'), Buffer.concat(changed.map(leafHash)));
        await log.edit(TOP, (bytes) => Buffer.concat([rootOf(changed), bytes.subarray(32)]));
      },
    ],
    [
      'a record removed',
      'removed',
      7,
      async (log) =>
        log.writeLines(
          FIRST,
          (await log.lines(FIRST)).filter((_, at) => at !== 7),
        ),
    ],
    [
      'the first record removed',
      'removed',
      0,
      async (log) => log.writeLines(FIRST, (await log.lines(FIRST)).slice(1)),
    ],
    [
      'a record removed together with its hash',
      'hole',
      'told',
      async (log) => {
        const all = await log.lines(FIRST);
        // Two of one writer in a row, so that the hole shows where the record was.
        const writers = all.map((line) => /"writer":"(w\d)"/.exec(String(line))?.[1]);
        const gone = writers.findIndex((writer, at) => at > 6 && writer === writers[at + 1]);
        const lines = all.filter((_, at) => at !== gone);
        await log.writeLines(FIRST, lines);
        await writeFile(log.path('log/tile/0/000'), Buffer.concat(lines.map(leafHash)));
        return gone;
      },
    ],
    [
      'a record inserted',
      'inserted',
      9,
      async (log) => {
        const lines = await log.lines(FIRST);
        const extra = edited(lines[3] ?? Buffer.alloc(0));
        await log.writeLines(FIRST, [...lines.slice(0, 9), extra, ...lines.slice(9)]);
      },
    ],
    [
      'a record appended to a full bundle',
      'inserted',
      256,
      async (log) => {
        const lines = await log.lines(FIRST);
        await log.writeLines(FIRST, [...lines, edited(lines[3] ?? Buffer.alloc(0))]);
      },
    ],
    [
      'a record repeated',
      'inserted',
      4,
      async (log) => {
        const lines = await log.lines(FIRST);
        await log.writeLines(FIRST, [...lines.slice(0, 4), ...lines.slice(3)]);
      },
    ],
    [
      'two records swapped',
      'swapped',
      10,
      async (log) => {
        const lines = await log.lines(FIRST);
        const swapped = lines.map((line, at) => (at === 10 ? lines[20] : at === 20 ? lines[10] : line));
        await log.writeLines(
          FIRST,
          swapped.filter((line) => line !== undefined),
        );
      },
    ],
    [
      'two bundles swapped',
      'edited',
      0,
      async (log) => {
        const [first, second] = [await log.lines(FIRST), await log.lines(SECOND)];
        await log.writeLines(FIRST, second);
        await log.writeLines(SECOND, first);
      },
    ],
    [
      'the end cut off below the checkpoint',
      'cut',
      SIZE - 3,
      async (log) => log.writeLines(LAST, (await log.lines(LAST)).slice(0, -3)),
    ],
    ['the last bundle removed', 'cut', 512, (log) => rm(log.path(LAST))],
    [
      'the last bundle cut in the middle of a line',
      'cut',
      SIZE - 1,
      (log) => log.edit(LAST, (bytes) => bytes.subarray(0, -5)),
    ],
    ['a bundle in the middle removed', 'removed', 256, (log) => rm(log.path(SECOND))],
    ['the first bundle removed', 'removed', 0, (log) => rm(log.path(FIRST))],
    ['all bundles removed', 'cut', 0, (log) => rm(log.path('log/tile/entries'), { recursive: true })],
    ['a bundle emptied', 'removed', 256, (log) => truncate(log.path(SECOND), 0)],
    [
      'one bit of a leaf tile flipped',
      'tile',
      3,
      (log) => log.edit('log/tile/0/000', (bytes) => flip(bytes, 3 * 32)),
    ],
    [
      'bytes appended to a bundle',
      'tile',
      512,
      (log) => log.edit(LAST, (bytes) => Buffer.concat([bytes, Buffer.from('x')])),
    ],
    [
      'bytes appended to a leaf tile',
      'tile',
      0,
      (log) => log.edit('log/tile/0/000', (bytes) => Buffer.concat([bytes, Buffer.from('x')])),
    ],
    [
      'bytes appended to an upper tile',
      'tile',
      0,
      (log) => log.edit(TOP, (bytes) => Buffer.concat([bytes, Buffer.from('x')])),
    ],
    ['a leaf tile removed', 'tile', 256, (log) => rm(log.path('log/tile/0/001'))],
    [
      'a leaf tile cut',
      'tile',
      512,
      (log) => truncate(log.path(LAST_HASHES), 33).then(() => log.edit(LAST_HASHES, () => Buffer.alloc(0))),
    ],
    ['one bit of an upper tile flipped', 'tile', 256, (log) => log.edit(TOP, (bytes) => flip(bytes, 40))],
    ['an upper tile removed', 'tile', 0, (log) => rm(log.path(TOP))],
    ['the checkpoint removed', 'checkpoint', undefined, (log) => rm(log.path('log/checkpoint'))],
    [
      'the size in the checkpoint edited (A-09)',
      'checkpoint',
      undefined,
      (log) =>
        log.edit('log/checkpoint', (bytes) => Buffer.from(bytes.toString().replace('\n700\n', '\n600\n'))),
    ],
    [
      'the root in the checkpoint edited (A-09)',
      'checkpoint',
      undefined,
      (log) => log.edit('log/checkpoint', (bytes) => flip(bytes, 20)),
    ],
    [
      'a checkpoint by another key put in its place (A-09)',
      'checkpoint',
      undefined,
      async (log) => {
        const other = createLogKey(generateKeyPairSync('ed25519').privateKey);
        const root = createTree().root();
        await writeFile(
          log.path('log/checkpoint'),
          signCheckpoint({ size: SIZE, root }, { name: 'dockgate/n1', ...other }),
        );
      },
    ],
    [
      'the checkpoint of another node put in its place (A-09)',
      'checkpoint',
      undefined,
      async (log) => {
        const own = await loadOrCreateLogKey(log.path('keys/log.pem'));
        const root = createTree().root();
        await writeFile(
          log.path('log/checkpoint'),
          signCheckpoint({ size: 0, root }, { name: 'dockgate/n2', ...own }),
        );
      },
    ],
    [
      'an older checkpoint put in its place (A-09)',
      'older-copy',
      OLD_SIZE,
      (log) => writeFile(log.path('log/checkpoint'), oldCheckpoint),
    ],
    [
      'an older checkpoint and the older positions put in their place (A-09)',
      'older-copy',
      undefined,
      async (log) => {
        await writeFile(log.path('log/checkpoint'), oldCheckpoint);
        await writeFile(log.path('log/positions'), oldPositions);
        // What waits is removed with it, as somebody would who wants the end to be forgotten.
        for (const name of await readdir(log.path('wal'))) await truncate(log.path(`wal/${name}`), 0);
      },
    ],
    [
      'a waiting record removed from a write-ahead file',
      'hole',
      undefined,
      (log) => editWaiting(log, 'w1', (lines) => lines.filter((_, at) => at !== lines.length - 4)),
    ],
    [
      'a waiting record of another node put in',
      'unreadable',
      undefined,
      (log) =>
        editWaiting(log, 'w2', (lines) =>
          lines.map((line, at) =>
            at === lines.length - 1 ? line.replace('"node":"n1"', '"node":"n2"') : line,
          ),
        ),
    ],
  ];

  for (const [what, kind, index, tamper] of cases) {
    it(`finds ${what}`, async () => {
      const told = await tamper(copy());
      const { isClean, damage } = await verify();
      assert.equal(isClean, false);
      const expected = index === 'told' ? told : index;
      assert.deepEqual([damage?.kind, damage?.index], [kind, expected], damage?.message ?? 'no damage');
    });
  }

  it('names writer, number and id of an edited record', async () => {
    const log = copy();
    const lines = await log.lines(FIRST);
    const original: { writer?: string; seq?: number; id?: string } = JSON.parse(String(lines[5]));
    await log.writeLines(
      FIRST,
      lines.map((line, at) => (at === 5 ? edited(line) : line)),
    );
    const { damage } = await verify();
    const { writer, seq, id } = original;
    assert.deepEqual([damage?.writer, damage?.seq, damage?.id], [writer, seq, id]);
  });

  it('names writer and number of a record that can no longer be read', async () => {
    const log = copy();
    const lines = await log.lines(FIRST);
    const original: { writer?: string; seq?: number } = JSON.parse(String(lines[7]));
    await log.writeLines(
      FIRST,
      lines.map((line, at) => (at === 7 ? Buffer.alloc(line.length) : line)),
    );
    const { damage } = await verify();
    assert.deepEqual([damage?.kind, damage?.index], ['edited', 7]);
    assert.deepEqual([damage?.writer, damage?.seq], [original.writer, original.seq]);
  });

  it('names writer and number of a removed record', async () => {
    const log = copy();
    const lines = await log.lines(FIRST);
    const original: { writer?: string; seq?: number } = JSON.parse(String(lines[7]));
    await log.writeLines(
      FIRST,
      lines.filter((_, at) => at !== 7),
    );
    const { damage } = await verify();
    assert.deepEqual([damage?.writer, damage?.seq], [original.writer, original.seq]);
  });

  it('finds an older copy put back whole, but only against a checkpoint kept elsewhere', async () => {
    const newest = await readFile(join(directory, 'log/checkpoint'), 'utf8');
    const older = await olderCopy(lab, oldCheckpoint, oldPositions);
    try {
      assert.equal((await verifyLog({ directory: older, publicKey: key })).isClean, true);
      const { damage } = await verifyLog({ directory: older, publicKey: key, against: newest });
      assert.deepEqual([damage?.kind, damage?.index], ['older-copy', OLD_SIZE]);
    } finally {
      await rm(older, { recursive: true });
    }
  });

  it('finds a history signed anew by a thief of the key, but only against a checkpoint kept elsewhere (A-07)', async () => {
    const kept = await readFile(join(directory, 'log/checkpoint'), 'utf8');
    const stolen = await loadOrCreateLogKey(join(directory, 'keys/log.pem'));
    const forged = await createLab();
    try {
      await cp(join(directory, 'keys'), join(forged.directory, 'keys'), { recursive: true });
      const writer = await forged.openWriter();
      const sequencer = await forged.openSequencer();
      await recordMany(writer, SIZE + 10);
      await sequencer.step();
      assert.equal(printVerifierKey('dockgate/n1', stolen.publicKey), key.trim());
      assert.equal((await forged.verify({ publicKey: key })).isClean, true);
      const { damage } = await forged.verify({ publicKey: key, against: kept });
      assert.deepEqual([damage?.kind, damage?.index], ['older-copy', 0]);
    } finally {
      await forged.end();
    }
  });

  it('takes no checkpoint to compare with that the key did not sign', async () => {
    const other = createLogKey(generateKeyPairSync('ed25519').privateKey);
    const against = signCheckpoint({ size: 1, root: createTree().root() }, { name: 'dockgate/n1', ...other });
    assert.equal((await verify({ against })).damage?.kind, 'checkpoint');
    assert.equal((await verify({ against: '' })).damage?.kind, 'checkpoint');
  });

  it('takes no key that is none, nor another', async () => {
    assert.equal((await verify({ publicKey: 'hello' })).damage?.kind, 'checkpoint');
    const other = createLogKey(generateKeyPairSync('ed25519').privateKey);
    const publicKey = printVerifierKey('dockgate/n1', other.publicKey);
    assert.equal((await verify({ publicKey })).damage?.kind, 'checkpoint');
  });

  it('says torn tail, not tampering, of what a crash left at the end of a write-ahead file (A-10)', async () => {
    await editWaiting(copy(), 'w1', (lines) => [...lines, '{"v":1,"id":"torn']);
    const file = await newestWal(directory, 'w1');
    const bytes = await readFile(file);
    await writeFile(file, bytes.subarray(0, -1));
    const report = await verify();
    assert.deepEqual([report.damage, report.tornBytes, report.waiting], [undefined, 17, 20]);
  });

  it('is clean on a copy of the log directory alone', async () => {
    await rm(join(directory, 'wal'), { recursive: true });
    await rm(join(directory, 'keys'), { recursive: true });
    assert.equal((await verify()).isClean, true);
  });

  it('tells how far it is', async () => {
    const seen: number[] = [];
    await verify({ onProgress: ({ done, total }) => seen.push(done / total) });
    assert.deepEqual(seen, [1]);
    await rm(join(directory, 'log/tile/0/001'));
    await verify({ onProgress: ({ done, total }) => seen.push(done / total) });
    assert.deepEqual(seen.slice(-3), [256 / SIZE, 512 / SIZE, 1], 'a damaged log record by record');
  });

  it('finds every single flipped bit of a bundle, a tile and the checkpoint, tried at random places', async () => {
    for (const name of [FIRST, LAST, 'log/tile/0/000', LAST_HASHES, TOP, 'log/checkpoint']) {
      const bytes = await readFile(join(directory, name));
      for (let round = 0; round < 12; round += 1) {
        const at = Math.floor((bytes.length * (round + Math.random())) / 12);
        await writeFile(join(directory, name), flip(Buffer.from(bytes), at));
        assert.equal((await verify()).isClean, false, `${name} at byte ${at}`);
      }
      await writeFile(join(directory, name), bytes);
    }
    assert.equal((await verify()).isClean, true);
  });
});

function flip(bytes: Buffer, at: number): Buffer {
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  return bytes;
}

/** The root of one full bundle, by hand. */
function rootOf(lines: readonly Buffer[]): Buffer {
  let row: Buffer[] = lines.map((line) => leafHash(line));
  while (row.length > 1) {
    row = Array.from({ length: row.length / 2 }, (_, at) =>
      nodeHash(row[2 * at] ?? Buffer.alloc(0), row[2 * at + 1] ?? Buffer.alloc(0)),
    );
  }
  return row[0] ?? Buffer.alloc(0);
}

async function newestWal(directory: string, writer: string): Promise<string> {
  const names = (await readdir(join(directory, 'wal'))).filter((name) =>
    new RegExp(`^${writer}\\.\\d+\\.jsonl$`).test(name),
  );
  return join(directory, 'wal', names.sort().at(-1) ?? '');
}

async function editWaiting(log: Copy, writer: string, change: (lines: string[]) => string[]): Promise<void> {
  const file = await newestWal(log.directory, writer);
  const lines = (await readFile(file, 'utf8')).split('\n').slice(0, -1);
  await writeFile(
    file,
    change(lines)
      .map((line) => `${line}\n`)
      .join(''),
  );
}

/** What a backup taken at the older checkpoint would give back. */
async function olderCopy(lab: Lab, checkpoint: string, positions: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'dockgate-older-'));
  await cp(join(lab.directory, 'log'), join(directory, 'log'), { recursive: true });
  await writeFile(join(directory, 'log/checkpoint'), checkpoint);
  await writeFile(join(directory, 'log/positions'), positions);
  return directory;
}
