import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openProver } from '../../src/audit/index.ts';
import { tilePath } from '../../src/audit/tiles.ts';
import { type BuiltLog, buildLog } from './built-log.ts';
import { buildGoCheck, type GoCheck } from './go-check.ts';
import { createLab, recordMany } from './lab.ts';

describe("Go's transparency log packages", function () {
  this.timeout(180_000);
  let go: GoCheck;
  let built: BuiltLog;
  const file = (name: string): string => join(built.directory, name);

  before(async function () {
    const check = await buildGoCheck();
    if (typeof check === 'string') {
      console.error(`SKIPPED: the log is not checked with Go's packages, they are not here: ${check}`);
      return this.skip();
    }
    go = check;
    built = await buildLog();
    for (const size of [1, 300, 512, 65_536, 66_000]) await built.growTo(size);
    await writeFile(file('key'), built.publicKey);
  });
  after(async () => {
    await go?.end();
    await built?.end();
  });

  it('find the checkpoint, every tile, every record, inclusion and consistency as they should be', async () => {
    assert.deepEqual(await go.run('log', built.log, file('key')), { isGood: true, said: '66000 records' });
  });

  it('find so a log that writers and a sequencer wrote, at sizes around a tile', async () => {
    const lab = await createLab();
    try {
      const writer = await lab.openWriter();
      const sequencer = await lab.openSequencer();
      const log = join(lab.directory, 'log');
      for (const more of [1, 254, 1, 1, 400]) {
        await recordMany(writer, more);
        await sequencer.step();
        const said = `${sequencer.size()} records`;
        assert.deepEqual(await go.run('log', log, join(log, 'key.pub')), { isGood: true, said });
      }
    } finally {
      await lab.end();
    }
  });

  it('accept the proofs that dockgate prints', async () => {
    const prover = await openProver(built);
    for (const index of [0, 255, 256, 299, 65_535, 65_536, 65_999]) {
      await writeFile(file('proof'), await prover.prove(index));
      const said = `record ${index} of 66000`;
      assert.deepEqual(await go.run('inclusion', file('proof'), file('key')), { isGood: true, said });
    }
    for (const [size, note] of built.checkpoints) {
      await writeFile(file('older'), note);
      await writeFile(file('proof'), await prover.proveContinuation(note));
      const said = `66000 records continue ${size}`;
      assert.deepEqual(await go.run('consistency', file('proof'), file('older'), file('key')), {
        isGood: true,
        said,
      });
    }
  });

  it('refuse a proof of another record, an edited record and another key (A-05)', async () => {
    const prover = await openProver(built);
    const proof = await prover.prove(300);
    await writeFile(file('proof'), proof.replace('index 300', 'index 301'));
    assert.equal((await go.run('inclusion', file('proof'), file('key'))).isGood, false);
    const stranger = await buildLog();
    try {
      await stranger.growTo(300);
      await writeFile(join(stranger.directory, 'key'), built.publicKey);
      assert.equal((await go.run('log', stranger.log, join(stranger.directory, 'key'))).isGood, false);
      await writeFile(join(stranger.directory, 'key'), stranger.publicKey);
      assert.equal((await go.run('log', stranger.log, join(stranger.directory, 'key'))).isGood, true);
      const bundle = join(stranger.log, tilePath('entries', 0));
      const bytes = await readFile(bundle);
      bytes[bytes.length - 10] = (bytes.at(-10) ?? 0) ^ 1;
      await writeFile(bundle, bytes);
      assert.deepEqual(await go.run('log', stranger.log, join(stranger.directory, 'key')), {
        isGood: false,
        said: 'record 255 is not the one that was signed',
      });
    } finally {
      await stranger.end();
    }
  });
});
