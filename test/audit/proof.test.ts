import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { checkProof, NoProof, openProver } from '../../src/audit/index.ts';
import { leafHash } from '../../src/audit/merkle.ts';
import { consistencyPath, inclusionPath, isContinuation, rootByInclusion } from '../../src/audit/paths.ts';
import { parseConsistencyProof, parseInclusionProof } from '../../src/audit/proof-text.ts';
import { openSubtrees } from '../../src/audit/subtrees.ts';
import { tilePath } from '../../src/audit/tiles.ts';
import { type BuiltLog, buildLog } from './built-log.ts';
import * as independent from './independent.ts';
import { createLab, entry } from './lab.ts';

const SIZES = [1, 2, 3, 7, 255, 256, 257, 511, 512, 700, 65_535, 65_536, 66_000];

describe('a proof', () => {
  let built: BuiltLog;
  let entries: readonly Buffer[];
  const rootAt = (size: number): Buffer =>
    independent.openCheckpoint(built.checkpoints.get(size) ?? '', built.publicKey).root;

  before(async () => {
    built = await buildLog();
    for (const size of SIZES) await built.growTo(size);
    entries = independent.readEntries(built.log, 66_000);
  });
  after(() => built.end());

  const open = (): ReturnType<typeof openProver> => openProver(built);
  const check = (proof: string, against?: string): ReturnType<typeof checkProof> =>
    checkProof(proof, { publicKey: built.publicKey, against });

  it('of inclusion is that of RFC 9162 for any record in any earlier tree', async () => {
    const subtrees = openSubtrees(built.log, 66_000);
    for (const size of SIZES) {
      for (const index of new Set(
        [0, 1, size >> 1, size - 2, size - 1].filter((at) => at >= 0 && at < size),
      )) {
        const path = await inclusionPath(subtrees, index, size);
        assert.deepEqual(
          path,
          independent.inclusionProof(built.log, 66_000, index, 0, size),
          `${index} in ${size}`,
        );
        const leaf = leafHash(entries[index] ?? Buffer.alloc(0));
        assert.deepEqual(rootByInclusion(leaf, { index, size }, path), rootAt(size));
        assert.deepEqual(
          independent.rootByInclusion(entries[index] ?? Buffer.alloc(0), index, size, [...path]),
          rootAt(size),
        );
      }
    }
  });

  it('of consistency is that of RFC 9162 for any two trees', async () => {
    const subtrees = openSubtrees(built.log, 66_000);
    for (const older of SIZES) {
      for (const newer of SIZES.filter((size) => size >= older)) {
        const path = await consistencyPath(subtrees, older, newer);
        assert.deepEqual(path, independent.consistencyProof(built.log, 66_000, older, 0, newer));
        const heads = [
          { size: older, root: rootAt(older) },
          { size: newer, root: rootAt(newer) },
        ] as const;
        assert.ok(isContinuation(...heads, path), `${older} to ${newer}`);
        assert.ok(independent.isContinuation(...heads, [...path]));
      }
    }
  });

  it('shows nothing once a hash of it is changed, left out or added', async () => {
    const subtrees = openSubtrees(built.log, 66_000);
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 699 }),
        fc.integer({ min: 1, max: 700 }),
        fc.nat(),
        fc.constantFrom('change', 'remove', 'add'),
        async (index, older, place, how) => {
          const leaf = leafHash(entries[index] ?? Buffer.alloc(0));
          const inclusion = await inclusionPath(subtrees, index, 700);
          const spoiltInclusion = spoil(inclusion, place, how);
          if (spoiltInclusion) {
            const root = rootByInclusion(leaf, { index, size: 700 }, spoiltInclusion);
            assert.notDeepEqual(root, rootAt(700));
          }
          const consistency = await consistencyPath(subtrees, older, 700);
          const spoilt = spoil(consistency, place, how);
          const olderHead = { size: older, root: independent.treeHash(entries.slice(0, older)) };
          const newerHead = { size: 700, root: rootAt(700) };
          assert.ok(isContinuation(olderHead, newerHead, consistency));
          if (spoilt) assert.ok(!isContinuation(olderHead, newerHead, spoilt));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('is made by number, by id and by request id, and checked with the public key alone', async () => {
    const prover = await open();
    assert.equal(prover.size, 66_000);
    for (const index of [0, 255, 256, 65_535, 65_999]) {
      assert.equal(await prover.findIndex(`record-${index}`), index);
      assert.equal(await prover.findIndex(`request-${index}`), index);
      const proof = await prover.prove(index);
      const result = check(proof);
      assert.ok(result.isGood && result.kind === 'inclusion');
      assert.deepEqual([result.index, result.size, result.origin], [index, 66_000, 'dockgate/n1']);
      assert.equal(result.record.id, `record-${index}`);
    }
    assert.equal(await prover.findIndex('record-66000'), undefined);
    assert.equal(await prover.findIndex('record-1", "x'), undefined);
  });

  it('has the form of C2SP tlog-proof, line by line', async () => {
    const lines = (await (await open()).prove(256)).split('\n');
    assert.equal(lines[0], 'c2sp.org/tlog-proof@v1');
    assert.deepEqual(Buffer.from(lines[1]?.replace(/^extra /, '') ?? '', 'base64'), entries[256]);
    assert.equal(lines[2], 'index 256');
    const end = lines.indexOf('');
    for (const hash of lines.slice(3, end)) assert.match(hash, /^[A-Za-z0-9+/]{43}=$/);
    assert.equal(lines.slice(end + 1).join('\n'), built.checkpoints.get(66_000));
  });

  it('is no proof any more after any change of its text', async () => {
    const proof = await (await open()).prove(300);
    fc.assert(
      fc.property(
        fc.nat({ max: proof.length - 1 }),
        fc.constantFrom('A', 'b', '0', '\n', ' '),
        (at, character) => {
          const changed = proof.slice(0, at) + character + proof.slice(at + 1);
          if (changed === proof) return;
          assert.ok(!check(changed).isGood, `at ${at}: ${JSON.stringify(proof.slice(at, at + 10))}`);
          assert.ok(!check(proof.slice(0, at)).isGood);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('says of each kind of wrong proof what is wrong', async () => {
    const prover = await open();
    const [one, other] = [await prover.prove(300), await prover.prove(301)];
    const lineOf = (text: string): string => text.split('\n')[1] ?? '';
    const saying = (text: string, against?: string): string => {
      const result = check(text, against);
      return result.isGood ? 'good' : result.message;
    };
    assert.match(saying('hello'), /neither a tlog-proof nor/);
    assert.match(saying(one.replace(lineOf(one), lineOf(other))), /is not number 300 of the log/);
    assert.match(saying(one.replace('index 300', 'index 301')), /is not number 301/);
    assert.match(saying(one.replace('index 300', 'index 66000')), /its checkpoint covers 66000/);
    assert.match(saying(one.replace('index 300', 'index 0300')), /neither a tlog-proof/);
    assert.match(saying(one.replace(`${lineOf(one)}\n`, '')), /does not carry its record/);
    assert.match(saying(one.replace('66000\n', '66001\n')), /not one that dockgate\/n1 signed/);
    const noKey = checkProof(one, { publicKey: 'x' });
    assert.ok(!noKey.isGood && /no Ed25519 key/.test(noKey.message));
    const stranger = await buildLog();
    try {
      await stranger.growTo(1);
      const result = checkProof(one, { publicKey: stranger.publicKey });
      assert.ok(!result.isGood && /not one that/.test(result.message));
    } finally {
      await stranger.end();
    }
  });

  it('of consistency is checked with the older checkpoint and the key alone', async () => {
    const prover = await open();
    const older = built.checkpoints.get(257) ?? '';
    const proof = await prover.proveContinuation(older);
    const result = check(proof, older);
    assert.ok(result.isGood && result.kind === 'consistency');
    assert.deepEqual([result.oldSize, result.size], [257, 66_000]);
    const between = await prover.proveContinuation(older, built.checkpoints.get(700));
    assert.ok(check(between, older).isGood);
    assert.deepEqual(parseConsistencyProof(between)?.oldSize, 257);
    assert.match(between, /^old 257\n/);

    const saying = (text: string, against?: string): string => {
      const found = check(text, against);
      return found.isGood ? 'good' : found.message;
    };
    assert.match(saying(proof), /needs the older checkpoint/);
    assert.match(
      saying(proof, built.checkpoints.get(256)),
      /begins at 257 records, the older checkpoint at 256/,
    );
    assert.match(saying(proof, 'x'), /older checkpoint is not one/);
    assert.match(saying(proof.replace(/^old 257\n.*\n/, 'old 257\n'), older), /does not continue/);
  });

  it('is refused where the log is another, older or damaged one (A-07, A-09)', async () => {
    const prover = await open();
    const refused = (make: () => Promise<unknown>, message: RegExp): Promise<void> =>
      assert.rejects(make, (error) => error instanceof NoProof && message.test(error.message));
    await refused(() => prover.prove(66_000), /covers records 0 to 65999, not 66000/);
    const [small, large] = [built.checkpoints.get(2) ?? '', built.checkpoints.get(700) ?? ''];
    await refused(() => prover.proveContinuation(large, small), /older checkpoint has 700/);
    await refused(() => prover.proveContinuation('x'), /older checkpoint is not one/);
    await refused(() => openProver({ directory: built.directory, publicKey: 'x' }), /no Ed25519 key/);
    await refused(
      () => openProver({ directory: join(built.directory, 'no'), publicKey: built.publicKey }),
      /no check/,
    );

    const copy = await buildLog();
    try {
      await copy.growTo(300);
      await copy.growTo(601);
      const other = await openProver(copy);
      await refused(() => other.proveContinuation(small), /not one that/);
      const tile = join(copy.log, tilePath(0, 1));
      const bytes = await readFile(tile);
      await writeFile(tile, Buffer.concat([Buffer.alloc(32), bytes.subarray(32)]));
      const damaged = await openProver(copy);
      await refused(() => damaged.prove(300), /damaged .*does not lead to the checkpoint/);
      await refused(() => damaged.proveContinuation(copy.checkpoints.get(300) ?? ''), /not of one history/);
      await rm(tile);
      const cut = await openProver(copy);
      await refused(() => cut.prove(300), /damaged \(tile\/0\/001 is missing or short\)/);
      await rm(join(copy.log, tilePath('entries', 1)));
      await refused(() => cut.prove(300), /damaged \(tile\/entries\/001 is missing or short\)/);
    } finally {
      await copy.end();
    }
  });

  it('is made from a live log while it grows', async () => {
    const lab = await createLab();
    try {
      const writer = await lab.openWriter();
      const sequencer = await lab.openSequencer();
      const publicKey = await readFile(join(lab.directory, 'log', 'key.pub'), 'utf8');
      for (let round = 0; round < 20; round += 1) {
        const record = await writer.record(entry());
        for (let more = 0; more < 20; more += 1) await writer.record(entry());
        await sequencer.step();
        const prover = await openProver({ directory: lab.directory, publicKey });
        const index = await prover.findIndex(record.id);
        assert.ok(index !== undefined);
        for (let more = 0; more < 20; more += 1) await writer.record(entry());
        await sequencer.step();
        const result = checkProof(await prover.prove(index), { publicKey });
        assert.ok(result.isGood && result.kind === 'inclusion');
        assert.deepEqual(result.record, record);
      }
    } finally {
      await lab.end();
    }
  });

  it('is read back as it was printed', async () => {
    const proof = await (await open()).prove(5);
    const parsed = parseInclusionProof(proof);
    assert.equal(parsed?.index, 5);
    assert.deepEqual(parsed?.line, entries[5]);
    assert.equal(parseInclusionProof(proof.replace('extra ', 'extra =')), undefined);
    assert.equal(parseConsistencyProof(proof), undefined);
  });
});

function spoil(path: readonly Buffer[], place: number, how: string): readonly Buffer[] | undefined {
  const at = path.length === 0 ? 0 : place % path.length;
  if (how === 'add') return [...path.slice(0, at), Buffer.alloc(32, 7), ...path.slice(at)];
  if (path.length === 0) return undefined;
  if (how === 'remove') return path.filter((_, index) => index !== at);
  return path.map((hash, index) => (index === at ? Buffer.alloc(32, 7) : hash));
}
