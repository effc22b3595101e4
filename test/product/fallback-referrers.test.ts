import assert from 'node:assert/strict';
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.ts';
import { type Dockgate, startDockgate } from '../support/dockgate.ts';
import { type BuiltImage, buildArtifact, buildImage } from '../support/image.ts';
import { createStraightPusher, type StraightPusher } from '../support/straight-push.ts';

const INDEX = 'application/vnd.oci.image.index.v1+json';
const PASSWORD = 'correct-horse-battery-9';
const tagOf = (image: BuiltImage) => image.digest.replace(':', '-');

function artifact(artifactType: string, text: string, subject?: BuiltImage): BuiltImage {
  const blobs = [{ bytes: new TextEncoder().encode(text), mediaType: 'text/plain' }];
  return buildArtifact({ artifactType, blobs, ...(subject ? { subject } : {}) });
}

describe('referrers behind a registry that has no API for them', () => {
  let registry: DockerRegistry;
  let straight: StraightPusher;
  let dockgate: Dockgate;

  before(async function () {
    this.timeout(120_000);
    registry = await startDockerRegistry();
    straight = createStraightPusher(registry.url);
    dockgate = await startDockgate({ config: `upstreams:\n  - { url: "${registry.url}" }\n`, workers: 1 });
    await dockgate.addUser('alice', PASSWORD, ['reader', '**']);
  });
  after(async () => {
    await dockgate?.remove();
    await registry?.stop();
  });

  /** Pushes the index that clients keep under the fallback tag, as they find it in a registry without the API. */
  async function pushIndex(
    repository: string,
    tag: string,
    listed: readonly (BuiltImage & { readonly says?: string })[],
  ) {
    const manifests = listed.map(({ mediaType, digest, manifest, says }) => ({
      ...{ mediaType, digest, size: manifest.length },
      artifactType: says ?? 'application/x.of-the-descriptor',
    }));
    const index = JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests });
    await straight.manifest(repository, tag, new TextEncoder().encode(index), INDEX);
  }

  async function referrersOf(repository: string, image: BuiltImage): Promise<[unknown, unknown][]> {
    const path = `/v2/${repository}/referrers/${image.digest}`;
    const answer = await dockgate.request(path, { basic: `alice:${PASSWORD}` });
    assert.equal(answer.status, 200, answer.text);
    const { manifests } = answer.json();
    assert.ok(Array.isArray(manifests));
    return manifests.map(({ digest, artifactType }) => [digest, artifactType]);
  }

  it('are taken from the fallback tag, each by the subject and type of its own bytes', async () => {
    const image = await buildImage();
    const true1 = artifact('application/x.sbom', 'a list', image);
    const stranger = artifact('application/x.sbom', 'of nothing');
    const another = artifact('application/x.sbom', 'of another', stranger);
    for (const pushed of [image, true1, stranger, another]) await straight.push('team/app', pushed);
    await pushIndex('team/app', tagOf(image), [true1, stranger, another]);
    assert.deepEqual(await referrersOf('team/app', image), [[true1.digest, 'application/x.sbom']]);
  });

  it('are empty where there is no such tag, where it is an image, and for the tags of cosign', async () => {
    const image = await buildImage({ config: { user: '1000' } });
    await straight.push('team/other', image);
    assert.deepEqual(await referrersOf('team/other', image), []);
    const tagged = await buildImage({ config: { user: '1001' } });
    await straight.push('team/other', tagged);
    await straight.push('team/other', tagged, tagOf(tagged));
    assert.deepEqual(await referrersOf('team/other', tagged), []);
    const signed = await buildImage({ config: { user: '1002' } });
    const signature = artifact('application/x.signature', 'signed', signed);
    for (const pushed of [signed, signature]) await straight.push('team/other', pushed);
    await straight.push('team/other', signature, `${tagOf(signed)}.sig`);
    assert.deepEqual(await referrersOf('team/other', signed), []);
  });

  it('come with an import as well', async () => {
    const image = await buildImage({ config: { user: '1003' } });
    const attached = artifact('application/x.sbom', 'imported', image);
    await straight.push('team/imported', image, '1');
    await straight.push('team/imported', attached);
    await pushIndex('team/imported', tagOf(image), [attached]);
    const out = await dockgate.run(['image', 'import', 'team/imported']);
    assert.match(out, /1 repositories with 2 tags: 3 manifests new, 0 known, 0 failed/);
    assert.deepEqual(await referrersOf('team/imported', image), [[attached.digest, 'application/x.sbom']]);
  });
});
