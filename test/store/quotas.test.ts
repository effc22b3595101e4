import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger, systemClock, systemRandom } from '../../src/base/index.ts';
import { takeManifest } from '../../src/content/index.ts';
import { type Digest, parsePattern } from '../../src/oci/index.ts';
import { openStoreWrites, type StoreWrites } from '../../src/store/index.ts';
import { repositoryOf, tagOf } from '../contracts/source-bench.ts';
import { buildImage } from '../support/image.ts';

const KIB = 1024;

describe('storage quotas in the database', () => {
  const directory = mkdtempSync(join(tmpdir(), 'dockgate-quotas-'));
  let store: StoreWrites;
  let count = 0;

  const quota = (text: string, bytesMax: number) => {
    const parsed = parsePattern(text);
    if (!parsed.ok) throw new Error(parsed.problem);
    return { pattern: parsed.pattern, bytesMax };
  };
  const open = async (quotas: readonly ReturnType<typeof quota>[]) => {
    await store?.close();
    const base = { clock: systemClock, random: systemRandom, logger: silentLogger };
    count += 1;
    const folder = join(directory, String(count));
    store = await openStoreWrites({ directory: folder, quotas }, { ...base, publish: async () => {} });
  };
  after(async () => {
    await store.close();
    rmSync(directory, { recursive: true, force: true });
  });

  const digestOf = (fill: string) => `sha256:${fill.repeat(64)}` as Digest;
  const link = (name: string, fill: string, size: number, owner: 'pending' | 'cached' = 'pending') =>
    store.links.linkBlob({
      ...{ repository: repositoryOf(name), digest: digestOf(fill), size, owner },
      ...(owner === 'pending' ? { untilMs: 1e15 } : {}),
    });
  const refused = (size: string, numbers: string, on = 'team/**') => ({
    code: 'DG_QUOTA',
    ociCode: 'DENIED',
    status: 413,
    message: `dockgate: the quota of ${on} is ${size}: ${numbers}; remove images there or ask an admin`,
  });

  it('count what each repository of the pattern links, and refuse what is more, with a sentence', async () => {
    await open([quota('team/**,!team/free/**', 10 * KIB)]);
    await link('team/app', 'a', 6 * KIB);
    await link('team/db', 'a', 3 * KIB);
    const on = 'team/**,!team/free/**';
    await assert.rejects(link('team/app', 'b', 2 * KIB), refused('10KiB', '9KiB used, 2KiB asked', on));
    await link('team/app', 'c', KIB);
    await assert.rejects(link('team/x', 'd', 1), refused('10KiB', '10KiB used, 1 bytes asked', on));
    await link('team/free/app', 'b', 20 * KIB);
    await link('other', 'b', 20 * KIB);
    await link('teams/app', 'b', 20 * KIB);
    assert.deepEqual(await store.quotas.list(), [{ on, bytesMax: 10 * KIB, usedBytes: 10 * KIB }]);
    assert.deepEqual(await store.quotas.of(repositoryOf('other')), []);
  });

  it('ask nothing of what is there already, nor of what is merely cached', async () => {
    await open([quota('team/**', 10 * KIB)]);
    await link('team/app', 'a', 10 * KIB);
    await link('team/app', 'a', 10 * KIB);
    await link('team/app', 'b', 100 * KIB, 'cached');
    await assert.rejects(link('team/app', 'b', 100 * KIB), { code: 'DG_QUOTA' });
    await store.links.removeBlob(repositoryOf('team/app'), digestOf('a'));
    await link('team/app', 'c', 10 * KIB);
  });

  it('hold each that matches', async () => {
    await open([quota('**', 20 * KIB), quota('team/**', 10 * KIB), quota('team/app', 5 * KIB)]);
    await assert.rejects(
      link('team/app', 'a', 6 * KIB),
      refused('5KiB', '0 bytes used, 6KiB asked', 'team/app'),
    );
    await link('team/app', 'a', 5 * KIB);
    await assert.rejects(link('team/db', 'b', 6 * KIB), { code: 'DG_QUOTA' });
    await link('lab', 'c', 15 * KIB);
    await assert.rejects(link('lab', 'd', 1), refused('20KiB', '20KiB used, 1 bytes asked', '**'));
  });

  it('P-21: two pushes that race never get more together than there is', async () => {
    await open([quota('team/**', 10 * KIB)]);
    const fills = [...'0123456789abcdef'];
    const done = await Promise.allSettled(fills.map((fill, index) => link(`team/${index}`, fill, 3 * KIB)));
    assert.equal(done.filter(({ status }) => status === 'fulfilled').length, 3);
    assert.equal((await store.quotas.list())[0]?.usedBytes, 9 * KIB);
  });

  it('count manifests as well, whose link is refused whole; the same one again asks nothing', async () => {
    const image = await buildImage();
    const blobs = [image.config, ...image.layers];
    const bytes = blobs.reduce((sum, blob) => sum + blob.bytes.length, 0);
    const most = bytes + image.manifest.length;
    await open([quota('team/**', most)]);
    const repository = repositoryOf('team/app');
    const parsed = takeManifest(image.manifest, image.mediaType);
    assert.ok(parsed.ok);
    const push = async (tag: string) => {
      for (const blob of blobs) {
        const size = blob.bytes.length;
        await store.links.linkBlob({
          ...{ repository, digest: blob.digest as Digest, size, owner: 'pending', untilMs: 1e15 },
        });
      }
      return store.links.linkManifest({
        ...{ repository, digest: image.digest as Digest, size: image.manifest.length },
        ...{ manifest: parsed.manifest, tags: [tagOf(tag)], requireContent: true, nowMs: 1 },
        tagRights: { mayCreate: true, mayOverwrite: true },
      });
    };
    await link('team/other', 'f', 1);
    await assert.rejects(push('1'), { code: 'DG_QUOTA' });
    assert.equal(await store.links.findTag(repository, tagOf('1')), undefined);
    await store.links.removeBlob(repositoryOf('team/other'), digestOf('f'));
    assert.deepEqual(await push('1'), { ok: true });
    assert.deepEqual(await push('2'), { ok: true });
    assert.equal((await store.quotas.list())[0]?.usedBytes, most);
  });
});
