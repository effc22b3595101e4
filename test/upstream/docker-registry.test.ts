import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { silentLogger, systemClock } from '../../src/base/index.ts';
import type { Source, UploadProgress } from '../../src/content/index.ts';
import { type Digest, parseDigest, parseManifest } from '../../src/oci/index.ts';
import { createUpstream, type UpstreamOptions } from '../../src/upstream/index.ts';
import { createTestCertificate } from '../support/certificates.ts';
import { type DockerRegistry, REGISTRY_ACCOUNT, startDockerRegistry } from '../support/docker-registry.ts';
import { buildImage, digestOf } from '../support/image.ts';
import { receiveUpload } from '../support/upload-body.ts';
import {
  accepted,
  append,
  blobsOf,
  finish,
  pushBlob,
  pushImage,
  refused,
  repositoryOf,
  tagOf,
} from './pushing.ts';

const parts = { clock: systemClock, logger: silentLogger };

describe('an upstream that is a real docker-registry', () => {
  let registry: DockerRegistry;
  let source: Source;
  const repository = repositoryOf('team/app');

  before(async () => {
    registry = await startDockerRegistry();
    source = createUpstream({ url: registry.url }, parts);
  });

  after(async () => {
    await source?.close();
    await registry?.stop();
  });

  it('takes an image by streamed uploads and gives the same bytes back by tag and by digest', async () => {
    const image = await pushImage(source, repository, [tagOf('v1'), tagOf('latest')]);
    assert.equal(await source.resolve(repository, tagOf('v1')), image.digest);
    assert.equal(await source.resolve(repository, tagOf('latest')), image.digest);
    const manifest = await source.readManifest(repository, image.digest);
    assert.equal(manifest?.mediaType, image.mediaType);
    assert.deepEqual(Buffer.from(manifest.bytes), Buffer.from(image.manifest));
    for (const blob of blobsOf(image)) {
      assert.deepEqual(await source.findBlob(repository, blob.digest), { size: blob.bytes.length });
      const opened = await source.openBlob(repository, blob.digest);
      assert.ok(opened);
      assert.equal(opened.size, blob.bytes.length);
      assert.deepEqual(await buffer(opened.stream), Buffer.from(blob.bytes));
    }
  });

  it('answers undefined for what is not there', async () => {
    const absent = digestOf(randomBytes(8));
    assert.equal(await source.resolve(repository, tagOf('absent')), undefined);
    assert.equal(await source.readManifest(repository, absent), undefined);
    assert.equal(await source.findBlob(repository, absent), undefined);
    assert.equal(await source.openBlob(repository, absent), undefined);
    assert.equal(await source.listTags(repositoryOf('no/such'), { limit: 10 }), undefined);
  });

  it('takes chunks in order and refuses one out of order with 416, changing nothing (P-20)', async () => {
    const { state } = accepted(await source.startUpload(repository, 'sha256', 'u1'));
    const one = accepted(
      await append(source, repository, state, {
        chunks: ['a'],
        contentLength: 1,
        range: { first: 0, last: 0 },
      }),
    );
    assert.equal(one.offset, 1);
    for (const range of [
      { first: 0, last: 3 },
      { first: 5, last: 8 },
    ]) {
      const refusal = refused(
        await append(source, repository, one.state, { chunks: ['bcde'], contentLength: 4, range }),
      );
      assert.equal(refusal.status, 416);
    }
    const found = await source.findUpload(repository, one.state);
    assert.equal(found?.offset, 1);
    const two = accepted(
      await append(source, repository, found.state, { chunks: ['bcde'], range: { first: 1, last: 4 } }),
    );
    assert.equal(two.offset, 5);
    const shape = { chunks: ['fg'], contentLength: 2, range: { first: 5, last: 6 } };
    const done = await finish(source, repository, two.state, digestOf(Buffer.from('abcdefg')), shape);
    assert.deepEqual(done, { size: 7 });
  });

  it('knows an empty upload from one of a single byte, which docker-registry prints alike', async () => {
    const empty = accepted(await source.startUpload(repository, 'sha256', 'u1'));
    assert.equal((await source.findUpload(repository, empty.state))?.offset, 0);
    const one = accepted(await append(source, repository, empty.state, { chunks: ['x'] }));
    assert.equal((await source.findUpload(repository, one.state))?.offset, 1);
  });

  it('refuses a wrong digest with DIGEST_INVALID and lets the upload go on', async () => {
    const { state } = accepted(await source.startUpload(repository, 'sha256', 'u1'));
    const progress = accepted(await append(source, repository, state, { chunks: ['right'] }));
    const refusal = refused(await finish(source, repository, progress.state, digestOf(Buffer.from('wrong'))));
    assert.equal(refusal.code, 'DIGEST_INVALID');
    assert.equal(refusal.status, 400);
    assert.deepEqual(await finish(source, repository, progress.state, digestOf(Buffer.from('right'))), {
      size: 5,
    });
  });

  it('refuses a chunk whose range and length do not agree', async () => {
    const { state } = accepted(await source.startUpload(repository, 'sha256', 'u1'));
    const shape = { chunks: ['12345'], contentLength: 5, range: { first: 0, last: 10 } };
    const refusal = refused(await append(source, repository, state, shape));
    assert.equal(refusal.code, 'SIZE_INVALID');
  });

  it('takes sha512 blobs', async () => {
    const bytes = randomBytes(100);
    const { state } = accepted(await source.startUpload(repository, 'sha512', 'u1'));
    const digest = digestOf512(bytes);
    assert.deepEqual(await finish(source, repository, state, digest, { chunks: [bytes] }), { size: 100 });
    assert.deepEqual(await source.findBlob(repository, digest), { size: 100 });
  });

  it('mounts a blob of another repository, and leaves no upload behind where it cannot', async () => {
    const digest = await pushBlob(source, repository, randomBytes(64));
    const other = repositoryOf('team/other');
    assert.deepEqual(await source.mount(other, repository, digest), { size: 64 });
    assert.deepEqual(await source.findBlob(other, digest), { size: 64 });
    assert.equal(await source.mount(other, repository, digestOf(randomBytes(8))), undefined);
  });

  it('cancels an upload once', async () => {
    const { state } = accepted(await source.startUpload(repository, 'sha256', 'u1'));
    assert.equal(await source.cancelUpload(repository, state), true);
    assert.equal(await source.cancelUpload(repository, state), false);
    assert.equal(await source.findUpload(repository, state), undefined);
  });

  it('knows no upload whose state it did not write', async () => {
    for (const state of [
      '',
      'x',
      '//evil.example/v2/',
      'http://evil.example/v2/',
      '/v2/../x',
      '/v2/a b',
      '/v2/a#x',
    ]) {
      assert.equal(await source.findUpload(repository, state), undefined);
      assert.equal(await source.cancelUpload(repository, state), false);
      const refusal = refused(await append(source, repository, state, { chunks: ['x'] }));
      assert.equal(refusal.code, 'BLOB_UPLOAD_UNKNOWN');
      refused(await finish(source, repository, state, digestOf(Buffer.from('x'))));
    }
  });

  it('refuses a manifest that names a blob which is not there', async () => {
    const empty = repositoryOf('team/empty');
    const image = await buildImage();
    const read = parseManifest(image.manifest, image.mediaType);
    assert.ok(read.ok);
    const refusal = await source.pushManifest({
      repository: empty,
      tags: [tagOf('v1')],
      pushedBy: 'u1',
      digest: image.digest,
      mediaType: image.mediaType,
      bytes: image.manifest,
      manifest: read.manifest,
    });
    assert.equal(refusal?.code, 'MANIFEST_BLOB_UNKNOWN');
    assert.equal(refusal?.status, 404);
    assert.ok(blobsOf(image).some((blob) => refusal?.message.includes(blob.digest)));
  });

  it('lists tags and repositories in byte order, page by page', async () => {
    for (const name of ['zz/a-b', 'zz/a', 'zz/a/b', 'zz/a.b']) {
      await pushImage(source, repositoryOf(name), [tagOf('b'), tagOf('a'), tagOf('B')]);
    }
    const tags = (page: { last?: string; limit: number }) => source.listTags(repositoryOf('zz/a'), page);
    assert.deepEqual(await tags({ limit: 10 }), ['B', 'a', 'b']);
    assert.deepEqual(await tags({ limit: 2 }), ['B', 'a']);
    assert.deepEqual(await tags({ limit: 2, last: 'a' }), ['b']);
    assert.deepEqual(await tags({ limit: 2, last: 'b' }), []);
    assert.deepEqual(await tags({ limit: 0 }), []);
    const names = async (page: { last?: string; limit: number }) => source.listRepositories(page);
    assert.deepEqual(await names({ limit: 3, last: 'zz' }), ['zz/a', 'zz/a-b', 'zz/a.b']);
    assert.deepEqual(await names({ limit: 3, last: 'zz/a.b' }), ['zz/a/b']);
  });

  it('removes a manifest once and a blob once, and cannot remove a tag alone', async () => {
    const doomed = repositoryOf('team/doomed');
    const image = await pushImage(source, doomed, [tagOf('v1')]);
    assert.equal((await source.removeTag(doomed, tagOf('v1')))?.code, 'UNSUPPORTED');
    assert.equal((await source.removeTag(doomed, tagOf('absent')))?.code, 'MANIFEST_UNKNOWN');
    assert.equal(await source.removeManifest(doomed, image.digest), undefined);
    assert.equal((await source.removeManifest(doomed, image.digest))?.code, 'MANIFEST_UNKNOWN');
    assert.equal(await source.readManifest(doomed, image.digest), undefined);
    const blob = image.config;
    assert.equal(await source.removeBlob(doomed, blob.digest), undefined);
    assert.equal((await source.removeBlob(doomed, blob.digest))?.code, 'BLOB_UNKNOWN');
  });

  it('does not unlink a blob that is named as a manifest, as docker-registry itself would', async () => {
    const digest = await pushBlob(source, repository, randomBytes(32));
    assert.equal(await source.readManifest(repository, digest), undefined);
    assert.equal((await source.removeManifest(repository, digest))?.code, 'MANIFEST_UNKNOWN');
    assert.deepEqual(await source.findBlob(repository, digest), { size: 32 });
    const answer = await fetch(`${registry.url}/v2/${repository}/manifests/${digest}`, { method: 'DELETE' });
    assert.equal(answer.status, 202, 'docker-registry no longer has this fault: the question before can go');
    assert.equal(await source.findBlob(repository, digest), undefined);
  });

  it('streams a large upload without holding it in memory', async () => {
    const bytes = Buffer.alloc(48 * 1024 * 1024, 7);
    await pushBlob(source, repository, bytes);
    const opened = await source.openBlob(repository, digestOf(bytes));
    assert.ok(opened);
    let length = 0;
    for await (const chunk of opened.stream) length += chunk.length;
    assert.equal(length, bytes.length);
  });

  it('is healthy while it answers', async () => {
    assert.deepEqual(await source.check(), {
      isHealthy: true,
      note: 'the registry behind this gateway answers',
    });
  });
});

describe('an upstream with deletion switched off', () => {
  it('says 405 for manifests and blobs (N-14)', async () => {
    await withRegistry({ isDeleteEnabled: false }, {}, async (source) => {
      const repository = repositoryOf('team/app');
      const image = await pushImage(source, repository, [tagOf('v1')]);
      const blob = image.config;
      for (const refusal of [
        await source.removeManifest(repository, image.digest),
        await source.removeBlob(repository, blob.digest),
      ]) {
        assert.equal(refusal?.code, 'UNSUPPORTED');
        assert.equal(refusal?.status, 405);
      }
    });
  });
});

describe('an upstream that writes paths instead of addresses', () => {
  it('takes uploads all the same', async () => {
    await withRegistry({ relativeUrls: true }, {}, async (source) => {
      await pushImage(source, repositoryOf('team/app'), [tagOf('v1')]);
    });
  });
});

describe('an upstream that asks for a password', () => {
  const account = { username: REGISTRY_ACCOUNT.username, password: REGISTRY_ACCOUNT.password };

  it('is given ours, also where an upload is the first that is asked of it', async () => {
    await withRegistry({ htpasswd: REGISTRY_ACCOUNT.line }, account, async (source, registry) => {
      const repository = repositoryOf('team/app');
      const { state } = accepted(await source.startUpload(repository, 'sha256', 'u1'));
      const fresh = createUpstream({ url: registry.url, ...account }, parts);
      const progress = accepted(await append(fresh, repository, state, { chunks: ['abc'] }));
      assert.equal(progress.offset, 3);
      await fresh.close();
      await pushImage(source, repository, [tagOf('v1')]);
      assert.equal((await source.check()).isHealthy, true);
    });
  });

  it('is a fault that says so when ours is wrong or missing', async () => {
    for (const wrong of [{ ...account, password: 'wrong' }, {}]) {
      await withRegistry({ htpasswd: REGISTRY_ACCOUNT.line }, wrong, async (source) => {
        await assert.rejects(source.resolve(repositoryOf('team/app'), tagOf('v1')), {
          code: 'DG_UPSTREAM_SIGN_IN',
          status: 502,
        });
        assert.equal((await source.check()).isHealthy, false);
      });
    }
  });
});

describe('an upstream over TLS', () => {
  const authority = createTestCertificate();
  const tls = createTestCertificate({ issuer: authority });

  it('is trusted by its own authority, uploads included', async () => {
    await withRegistry({ tls }, { ca: authority.certificate }, async (source) => {
      await pushImage(source, repositoryOf('team/app'), [tagOf('v1')]);
    });
  });

  it('is refused with 502 when its certificate is of somebody else, expired or for another name (P-18)', async () => {
    const expired = createTestCertificate({
      issuer: authority,
      notBefore: new Date(Date.now() - 172_800_000),
      notAfter: new Date(Date.now() - 86_400_000),
    });
    const elsewhere = createTestCertificate({ issuer: authority, names: ['registry.example'] });
    const cases: readonly [typeof tls, UpstreamOptionsPart][] = [
      [tls, {}],
      [tls, { ca: createTestCertificate().certificate }],
      [expired, { ca: authority.certificate }],
      [elsewhere, { ca: authority.certificate }],
    ];
    for (const [certificate, options] of cases) {
      await withRegistry({ tls: certificate }, options, async (source) => {
        await assert.rejects(source.resolve(repositoryOf('team/app'), tagOf('v1')), {
          code: 'DG_UPSTREAM_PROTOCOL',
          status: 502,
        });
        const received = await receiveUpload({ chunks: ['abc'] });
        await assert.rejects(source.appendUpload(repositoryOf('team/app'), '/v2/x', received.body), {
          code: 'DG_UPSTREAM_PROTOCOL',
        });
        received.close();
      });
    }
  });
});

describe('an upstream that stops', () => {
  it('is a 503 with Retry-After and is used again when it is back (F-31)', async () => {
    const registry = await startDockerRegistry();
    const source = createUpstream({ url: registry.url }, parts);
    const repository = repositoryOf('team/app');
    const { state }: UploadProgress = accepted(await source.startUpload(repository, 'sha256', 'u1'));
    await registry.stop();
    await assert.rejects(source.resolve(repository, tagOf('v1')), {
      code: 'DG_UPSTREAM_UNAVAILABLE',
      status: 503,
      headers: { 'Retry-After': '5' },
    });
    const received = await receiveUpload({ chunks: ['abc'], ending: 'open' });
    await assert.rejects(source.appendUpload(repository, state, received.body), {
      code: 'DG_UPSTREAM_UNAVAILABLE',
    });
    assert.equal(received.request.destroyed, false, 'the client can still be answered');
    received.close();
    assert.equal((await source.check()).isHealthy, false);
    await source.close();
  });
});

type UpstreamOptionsPart = Omit<UpstreamOptions, 'url'>;

async function withRegistry(
  registryOptions: Parameters<typeof startDockerRegistry>[0],
  options: UpstreamOptionsPart,
  run: (source: Source, registry: DockerRegistry) => Promise<void>,
): Promise<void> {
  const registry = await startDockerRegistry(registryOptions);
  const source = createUpstream({ url: registry.url, ...options }, parts);
  try {
    await run(source, registry);
  } finally {
    await source.close();
    await registry.stop();
  }
}

function digestOf512(bytes: Uint8Array): Digest {
  const digest = parseDigest(`sha512:${createHash('sha512').update(bytes).digest('hex')}`);
  assert.ok(digest);
  return digest;
}
