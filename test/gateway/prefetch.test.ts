import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { createManualClock, GiB, silentLogger, systemClock, systemRandom } from '../../src/base/index.ts';
import { type Content, openContent, type Source } from '../../src/content/index.ts';
import { createPrefetch, createSources } from '../../src/gateway/index.ts';
import type { Digest } from '../../src/oci/index.ts';
import { until } from '../cluster/until.ts';
import { repositoryOf } from '../contracts/source-bench.ts';
import { type BuiltImage, buildImage } from '../support/image.ts';
import { startGatewayBench, verdictOf } from './bench.ts';

const APP = repositoryOf('team/app');

interface World {
  readonly content: Content;
  readonly image: BuiltImage;
  /** What the registry was asked for, in order. */
  readonly asked: Digest[];
  /** The registry gives nothing before. */
  readonly gate: PromiseWithResolvers<void>;
  readonly clock: ReturnType<typeof createManualClock>;
  open(options?: {
    readonly bytesMax?: number;
    readonly freeBytes?: number;
    readonly kind?: Source['kind'];
  }): ReturnType<typeof createPrefetch>;
}

describe('layers that are fetched before they are asked for', () => {
  let directory: string;
  let world: World;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'dockgate-prefetch-'));
    const content = await openContent(
      { directory: join(directory, 'content') },
      { clock: systemClock, random: systemRandom, logger: silentLogger },
    );
    const layers = Array.from({ length: 6 }, (_, index) => [{ path: 'file', data: `layer ${index}` }]);
    const image = await buildImage({ layers });
    const bytesOf = new Map([image.config, ...image.layers].map((blob) => [blob.digest, blob.bytes]));
    const asked: Digest[] = [];
    const gate = Promise.withResolvers<void>();
    const clock = createManualClock();
    world = {
      ...{ content, image, asked, gate, clock },
      open({ bytesMax = GiB, freeBytes = 10 * GiB, kind = 'upstream' } = {}) {
        const source: Partial<Source> = {
          kind,
          async openBlob(_repository, digest) {
            asked.push(digest);
            await gate.promise;
            const bytes = bytesOf.get(digest);
            return bytes && { size: bytes.length, stream: Readable.from([bytes]) };
          },
        };
        return createPrefetch(
          { bytesMax },
          {
            ...{ content, clock, logger: silentLogger },
            sources: createSources([{ prefix: '', source: source as Source }]),
            freeBytes: async () => freeBytes,
          },
        );
      },
    };
  });
  afterEach(async () => {
    world.gate.resolve();
    await rm(directory, { recursive: true });
  });

  const manifestOf = ({ manifest, mediaType }: BuiltImage) => ({ bytes: manifest, mediaType });
  const isHere = async () => {
    const all = [world.image.config, ...world.image.layers];
    return (await Promise.all(all.map(({ digest }) => world.content.find(digest)))).every(Boolean);
  };

  it('are asked for once each, a few at a time, with two hundred clients who ask for them meanwhile', async () => {
    const { content, image, asked, gate } = world;
    const prefetch = world.open();
    for (let client = 0; client < 200; client += 1) prefetch.begin(APP, image.digest, manifestOf(image));
    await until(() => asked.length === 4);
    const [first] = asked;
    const blob = [image.config, ...image.layers].find(({ digest }) => digest === first);
    assert.ok(blob);
    const notAgain = () => assert.fail('asked once more');
    const fills = Array.from({ length: 200 }, () => content.fill(blob.digest, blob.bytes.length, notAgain));
    assert.equal(asked.length, 4);
    gate.resolve();
    for (const fill of await Promise.all(fills)) await fill.done;
    await until(isHere);
    assert.equal(new Set(asked).size, asked.length);
    assert.equal(asked.length, image.layers.length + 1);
  });

  it('are not asked for when they are here, nor looked at for every client', async () => {
    const { content, image, asked, gate, clock } = world;
    gate.resolve();
    for (const { digest, bytes } of [image.config, ...image.layers]) await content.put(digest, bytes);
    const prefetch = world.open();
    prefetch.begin(APP, image.digest, manifestOf(image));
    const [gone] = image.layers;
    assert.ok(gone);
    await content.remove(gone.digest);
    prefetch.begin(APP, image.digest, manifestOf(image));
    clock.advance(60_000);
    prefetch.begin(APP, image.digest, manifestOf(image));
    await until(isHere);
    assert.deepEqual([...new Set(asked)], [gone.digest]);
  });

  it('are no more than may be under way, and none where the setting, the disk or the registry says so', async () => {
    const { image, asked, gate } = world;
    gate.resolve();
    const sizes = [image.config, ...image.layers].map(({ bytes }) => bytes.length);
    const [first = 0, second = 0] = sizes;
    world.open({ bytesMax: 0 }).begin(APP, image.digest, manifestOf(image));
    world.open({ freeBytes: GiB }).begin(APP, image.digest, manifestOf(image));
    world.open({ kind: 'origin' }).begin(APP, image.digest, manifestOf(image));
    const closed = world.open();
    closed.close();
    closed.begin(APP, image.digest, manifestOf(image));
    world.open({ bytesMax: first + second }).begin(APP, image.digest, manifestOf(image));
    await until(async () => (await world.content.find(image.config.digest)) !== undefined);
    await until(() => asked.length > 0);
    assert.ok(asked.length <= 2, `${asked.length} of ${sizes.length}`);
  });

  it('are left to who asks for them when their registry does not have them', async () => {
    const { image, asked, gate } = world;
    gate.resolve();
    const other = await buildImage({ layers: [[{ path: 'file', data: 'elsewhere' }]] });
    const prefetch = world.open();
    prefetch.begin(APP, other.digest, manifestOf(other));
    prefetch.begin(APP, image.digest, manifestOf(image));
    await until(isHere);
    assert.ok(other.layers.every(({ digest }) => asked.includes(digest)));
  });

  it('begin with a GET that is allowed: no HEAD, and nothing that is refused', async () => {
    const begun = async (method: string, outcome: 'allow' | 'block') => {
      const bench = await startGatewayBench({
        prefetch: { begin: () => undefined },
        verdicts: {
          verdictFor: async (_repository, digest) => ({ verdict: verdictOf(digest, outcome), restMs: 0 }),
        },
        directory: {
          can: async (_identity, action) =>
            action === 'pull'
              ? { isAllowed: true, because: 'local' }
              : { isAllowed: false, lacks: 'grant' as const },
        },
      });
      await bench.ask(method, '/v2/team/app/manifests/1');
      await bench.close();
      return bench.calls.filter((call) => call.startsWith('prefetch.') || call === 'audit.record');
    };
    assert.deepEqual(await begun('GET', 'allow'), ['audit.record', 'prefetch.begin']);
    assert.deepEqual(await begun('HEAD', 'allow'), ['audit.record']);
    assert.deepEqual((await begun('GET', 'block')).includes('prefetch.begin'), false);
  });
});
