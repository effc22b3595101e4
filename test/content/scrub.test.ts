import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { HOUR_MS, type Logger, silentLogger, systemClock, systemRandom } from '../../src/base/index.ts';
import { digestOf, type Holder, startScrub } from '../../src/content/index.ts';
import type { Digest } from '../../src/oci/index.ts';
import { repository } from '../contracts/store-bench.ts';
import { type ContentBench, openBench } from './bench.ts';

describe('the scrub of the content store', () => {
  let bench: ContentBench;
  let digests: readonly Digest[];
  beforeEach(async () => {
    bench = await openBench();
    const texts = Array.from({ length: 10 }, (_, index) => Buffer.from(`content ${index}`));
    digests = texts.map((text, index) => digestOf(text, index < 5 ? 'sha256' : 'sha512'));
    for (const [index, text] of texts.entries()) await bench.content.put(digests[index] as Digest, text);
  });
  afterEach(() => bench.close());

  const start = (bytesInTurn: number, owner: Holder['owner'] = 'cached') => {
    const said = { damaged: 0, errors: [] as string[], warnings: [] as string[] };
    const logger: Logger = {
      ...silentLogger,
      error: (text) => said.errors.push(text),
      warn: (text) => said.warnings.push(text),
    };
    const holder: Holder = { repository: repository('team/app'), owner, tags: [] };
    const scrub = startScrub(
      // No turn but those of the test.
      { bytesPerSecond: bytesInTurn / 3600, everyMs: HOUR_MS },
      {
        ...{ content: bench.content, clock: systemClock, random: systemRandom, logger },
        inventory: { listHeld: async () => [], holdersOf: async () => [holder] },
        onDamaged() {
          said.damaged += 1;
        },
      },
    );
    return { ...scrub, said };
  };
  const left = async () =>
    (await Promise.all(digests.map((digest) => bench.content.find(digest)))).filter(Boolean).length;
  const damage = (digest: Digest | undefined) => writeFile(bench.pathOf(digest as Digest), 'rotten bits');

  it('finds what is damaged, of sha256 and sha512, wherever it begins, and removes that alone', async () => {
    await Promise.all([damage(digests[0]), damage(digests[9])]);
    const scrub = start(1_000_000);
    for (let turn = 0; turn < 3; turn += 1) await scrub.turn();
    await scrub.stop();
    assert.equal(await left(), 8);
    assert.equal(scrub.said.damaged, 2);
    assert.equal(scrub.said.warnings.length, 2);
    assert.deepEqual(scrub.said.errors, []);
  });

  it('says loudly that something is lost which no other registry holds', async () => {
    await damage(digests[3]);
    const scrub = start(1_000_000, 'origin');
    for (let turn = 0; turn < 3; turn += 1) await scrub.turn();
    await scrub.stop();
    assert.equal(scrub.said.errors.length, 1);
    assert.equal(await left(), 9);
  });

  it('reads no more than it may, and nothing where the setting says so', async () => {
    await Promise.all(digests.map(damage));
    const off = start(0);
    await off.turn();
    await off.stop();
    assert.equal(await left(), 10);
    // One file is eleven bytes: the next turns pay for what the first has read too much.
    const slow = start(4);
    for (let turn = 0; turn < 4; turn += 1) await slow.turn();
    await slow.stop();
    assert.ok((await left()) >= 8);
  });
});
