import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { parseManifest } from '../../src/oci/index.ts';
import {
  blobsOf,
  digestIn,
  pushBlob,
  pushImage,
  pushManifest,
  refused,
  repositoryOf,
  tagOf,
} from '../contracts/source-bench.ts';
import { type BuiltImage, buildImage, buildIndex } from '../support/image.ts';
import { type OriginUnderTest, openOrigin } from './bench.ts';

const APP = repositoryOf('team/app');
const OTHER = repositoryOf('secret/base');

describe('a manifest pushed to the embedded registry', () => {
  let bench: OriginUnderTest;
  beforeEach(async () => {
    bench = await openOrigin();
  });
  afterEach(() => bench.close());

  /** The image's manifest with one descriptor changed. */
  const changed = (image: BuiltImage, part: 'config' | 'layer', change: object): BuiltImage => {
    const parsed = JSON.parse(Buffer.from(image.manifest).toString());
    Object.assign(part === 'config' ? parsed.config : parsed.layers[0], change);
    const manifest = Buffer.from(JSON.stringify(parsed));
    return { ...image, manifest, digest: digestIn(manifest) };
  };

  it('tells nobody what lies in other repositories (N-13)', async () => {
    const hidden = await pushBlob(bench, OTHER, randomBytes(100));
    const image = await buildImage();
    await pushBlob(bench, APP, image.config.bytes);
    const answers = [];
    for (const probed of [hidden, digestIn(randomBytes(8))]) {
      const probing = changed(image, 'layer', { digest: probed, size: 100 });
      const { message, detail, ...rest } = refused(await pushManifest(bench, APP, probing, []));
      answers.push({
        ...rest,
        message: message.replace(probed, 'D'),
        detail: JSON.stringify(detail).replace(probed, 'D'),
      });
    }
    assert.deepEqual(answers[0], answers[1]);
    assert.equal(answers[0]?.code, 'MANIFEST_BLOB_UNKNOWN');
    // A second one that is missing for certain: which of the two is named must not depend on the first.
    const wrongSize = changed(image, 'layer', { digest: hidden, size: 99 });
    assert.equal(refused(await pushManifest(bench, APP, wrongSize, [])).code, 'MANIFEST_BLOB_UNKNOWN');
    const two = JSON.parse(Buffer.from(image.manifest).toString());
    const named = [];
    for (const probed of [hidden, digestIn('nowhere')]) {
      two.layers = [probed, digestIn('nowhere either')].map((digest) => ({ ...two.layers[0], digest }));
      const manifest = Buffer.from(JSON.stringify(two));
      const refusal = refused(
        await pushManifest(bench, APP, { ...image, manifest, digest: digestIn(manifest) }, []),
      );
      named.push(refusal.message.includes(probed));
    }
    assert.deepEqual(named, [true, true]);
  });

  it('is refused with 400 when it states another size than its blob has (V-16)', async () => {
    const image = await buildImage();
    for (const blob of blobsOf(image)) await pushBlob(bench, APP, blob.bytes);
    for (const part of ['config', 'layer'] as const) {
      const { length } = (part === 'config' ? image.config : image.layers[0])?.bytes ?? image.manifest;
      for (const size of [0, length - 1, length + 1, Number.MAX_SAFE_INTEGER]) {
        const lying = changed(image, part, { size });
        const refusal = refused(await pushManifest(bench, APP, lying, [tagOf('v1')]));
        assert.deepEqual([refusal.code, refusal.status], ['MANIFEST_INVALID', 400]);
        assert.match(refusal.message, new RegExp(`says ${size} bytes for sha256:\\w+, which has ${length}`));
        assert.equal(await bench.source.readManifest(APP, lying.digest), undefined);
      }
    }
    assert.equal(await bench.source.resolve(APP, tagOf('v1')), undefined);
  });

  it('is refused with 400 when it states another size than its child has', async () => {
    const child = await pushImage(bench, APP, []);
    const index = buildIndex([child]);
    const parsed = JSON.parse(Buffer.from(index.manifest).toString());
    parsed.manifests[0].size += 1;
    const manifest = Buffer.from(JSON.stringify(parsed));
    const lying = { ...index, manifest, digest: digestIn(manifest) };
    assert.equal(refused(await pushManifest(bench, APP, lying, [])).code, 'MANIFEST_INVALID');
    assert.equal(await pushManifest(bench, APP, index, []), undefined);
  });

  it('may name a layer that clients fetch elsewhere, which need not be here', async () => {
    const image = await buildImage();
    await pushBlob(bench, APP, image.config.bytes);
    const elsewhere = changed(image, 'layer', {
      digest: digestIn('far'),
      urls: ['https://example.com/layer'],
    });
    assert.ok(parseManifest(elsewhere.manifest, elsewhere.mediaType).ok);
    assert.equal(await pushManifest(bench, APP, elsewhere, [tagOf('v1')]), undefined);
  });

  it('is refused, and says what to push, when a blob that is linked is gone from the disk', async () => {
    const image = await buildImage();
    for (const blob of blobsOf(image)) await pushBlob(bench, APP, blob.bytes);
    await bench.content.remove(image.config.digest);
    const refusal = refused(await pushManifest(bench, APP, image, [tagOf('v1')]));
    assert.equal(refusal.code, 'MANIFEST_BLOB_UNKNOWN');
    assert.deepEqual(refusal.detail, { digest: image.config.digest });
    assert.equal(
      await bench.source.findBlob(APP, image.config.digest),
      undefined,
      'the pusher is told to go away',
    );
    await pushImage(bench, APP, [tagOf('v1')], image);
    assert.equal(await bench.source.resolve(APP, tagOf('v1')), image.digest);
  });
});
