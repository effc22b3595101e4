import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { signCheckpoint } from '../../src/audit/checkpoint.ts';
import { type VerifyOptions, verifyLog } from '../../src/audit/index.ts';
import { EMPTY_ROOT, leafHash } from '../../src/audit/merkle.ts';
import { decodeBundle, encodeBundle } from '../../src/audit/tiles.ts';
import { type BuiltLog, buildLog } from './built-log.ts';

const OLD = 70_000;
const SIZE = 140_000;

describe('verification of a large log', () => {
  let log: BuiltLog;
  before(async function () {
    this.timeout(120_000);
    log = await buildLog();
    await log.growTo(OLD);
    await log.growTo(SIZE, () => ({ note: 'after the checkpoint' }));
  });
  after(() => log.end());

  const verify = (options: Partial<VerifyOptions> = {}) =>
    verifyLog({ directory: log.directory, publicKey: log.publicKey, ...options });
  const path = (name: string): string => join(log.log, name);

  /** Changes a file, looks, and puts it back. */
  async function withFile<T>(
    name: string,
    bytes: Uint8Array | undefined,
    look: () => Promise<T>,
  ): Promise<T> {
    const kept = await readFile(path(name));
    if (bytes === undefined) await rm(path(name));
    else await writeFile(path(name), bytes);
    try {
      return await look();
    } finally {
      await writeFile(path(name), kept);
    }
  }

  async function editedBundle(name: string, at: number): Promise<Buffer> {
    const lines = [...decodeBundle(await readFile(path(name))).lines];
    const line = lines[at] ?? Buffer.alloc(0);
    lines[at] = Buffer.from(String(line).replace('"allowed"', '"refused"'));
    return encodeBundle(lines);
  }

  for (const threads of [1, 3]) {
    it(`gives the same answer with ${threads} threads, and finds one edited record`, async function () {
      this.timeout(60_000);
      const sound = await verify({ threads });
      assert.deepEqual([sound.damage, sound.size, sound.from], [undefined, SIZE, 0]);
      // Record 102,500 is the hundredth of bundle 400.
      const edited = await editedBundle('tile/entries/400', 100);
      const { damage } = await withFile('tile/entries/400', edited, () => verify({ threads }));
      assert.deepEqual([damage?.kind, damage?.index], ['edited', 102_500]);
    });
  }

  it('ends its threads when its caller fails', async () => {
    await assert.rejects(
      verifyLog({
        directory: log.directory,
        publicKey: log.publicKey,
        threads: 2,
        onProgress: () => {
          throw new Error('stop');
        },
      }),
      /stop/,
    );
  });

  it('since a checkpoint reads the records after it only, and says so', async () => {
    const since = log.checkpoints.get(OLD) ?? '';
    const report = await verify({ since });
    assert.deepEqual([report.damage, report.size, report.from], [undefined, SIZE, OLD]);
    const edited = await editedBundle('tile/entries/100', 3);
    const before = await withFile('tile/entries/100', edited, () => verify({ since }));
    assert.equal(before.damage, undefined, 'what was verified before is not read again');
    const later = await editedBundle('tile/entries/500', 3);
    const { damage } = await withFile('tile/entries/500', later, () => verify({ since }));
    assert.deepEqual([damage?.kind, damage?.index], ['edited', 500 * 256 + 3]);
  });

  it('since a checkpoint at the very end, and since the empty log, is clean', async () => {
    assert.equal((await verify({ since: log.checkpoints.get(SIZE) ?? '' })).isClean, true);
    const empty = signCheckpoint({ size: 0, root: EMPTY_ROOT }, log.signer);
    assert.equal((await verify({ since: empty })).isClean, true);
  });

  it('since a checkpoint of another history is damage, and so is one of a log that was longer', async () => {
    const root = leafHash(Buffer.from('another record'));
    const forged = signCheckpoint({ size: OLD, root }, log.signer);
    const { damage } = await verify({ since: forged });
    assert.deepEqual([damage?.kind, damage?.index], ['older-copy', 0]);
    const longer = signCheckpoint({ size: SIZE + 1, root }, log.signer);
    assert.equal((await verify({ since: longer })).damage?.kind, 'older-copy');
    assert.equal((await verify({ since: 'none' })).damage?.kind, 'checkpoint');
  });

  it('since a checkpoint finds an upper tile that was changed or removed below it', async () => {
    const since = log.checkpoints.get(OLD) ?? '';
    const tile = await readFile(path('tile/1/000'));
    tile[40] = (tile[40] ?? 0) ^ 1;
    assert.equal((await withFile('tile/1/000', tile, () => verify({ since }))).damage?.kind, 'tile');
    assert.equal((await withFile('tile/1/000', undefined, () => verify({ since }))).damage?.kind, 'tile');
  });

  it('since a checkpoint finds a writer whose numbers do not go on from before it', async () => {
    const small = await buildLog();
    try {
      await small.growTo(512);
      const since = small.checkpoints.get(512) ?? '';
      // Number 513 never came: what follows the checkpoint, which ends with a full bundle, begins with 514.
      await small.growTo(700, (index) => lineAt(index + 1));
      const { damage } = await verifyLog({ directory: small.directory, publicKey: small.publicKey, since });
      assert.deepEqual([damage?.kind, damage?.index, damage?.seq], ['hole', 512, 513]);
      // The same at the end of the log, within the bundles that are looked at together.
      await small.growTo(710, (index) => lineAt(index + (index > 705 ? 2 : 1)));
      const after = small.checkpoints.get(700) ?? '';
      const later = await verifyLog({
        directory: small.directory,
        publicKey: small.publicKey,
        since: after,
      });
      assert.deepEqual([later.damage?.kind, later.damage?.seq], ['hole', 513], 'all is looked at again');
    } finally {
      await small.end();
    }
  });

  it('since a checkpoint finds a number that is missing within a bundle', async () => {
    const small = await buildLog();
    try {
      await small.growTo(512);
      const since = small.checkpoints.get(512) ?? '';
      await small.growTo(700, (index) => lineAt(index > 600 ? index + 1 : index));
      const { damage } = await verifyLog({ directory: small.directory, publicKey: small.publicKey, since });
      assert.deepEqual([damage?.kind, damage?.index, damage?.seq], ['hole', 601, 602]);
    } finally {
      await small.end();
    }
  });
});

/** The record that belongs at `index`, as a line. */
function lineAt(index: number): string {
  return (
    `{"v":1,"id":"r-${index}","time":"2026-11-24T11:35:19.123456Z","node":"n1","writer":"w1","seq":${index + 1},` +
    '"kind":"decision","requestId":"q","action":"pull","outcome":"allowed","status":200}'
  );
}
