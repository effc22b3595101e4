import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { silentLogger, systemClock } from '../../src/base/index.ts';
import type { Source, UploadProgress } from '../../src/content/index.ts';
import { createUpstream, type UpstreamOptions } from '../../src/upstream/index.ts';
import { accepted, append, pushBlob, pushImage, repositoryOf, tagOf } from '../contracts/source-bench.ts';
import { createTestCertificate } from '../support/certificates.ts';
import { type DockerRegistry, REGISTRY_ACCOUNT, startDockerRegistry } from '../support/docker-registry.ts';
import { digestOf } from '../support/image.ts';
import { receiveUpload } from '../support/upload-body.ts';
import { benchOf } from './bench.ts';

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

  it('knows an empty upload from one of a single byte, which docker-registry prints alike', async () => {
    const empty = accepted(await source.startUpload(repository, 'sha256', 'u1'));
    assert.equal((await source.findUpload(repository, empty.state))?.offset, 0);
    const one = accepted(await append(benchOf(source), repository, empty.state, { chunks: ['x'] }));
    assert.equal((await source.findUpload(repository, one.state))?.offset, 1);
  });

  it('does not unlink a blob that is named as a manifest, as docker-registry itself would', async () => {
    const digest = await pushBlob(benchOf(source), repository, randomBytes(32));
    assert.equal(await source.readManifest(repository, digest), undefined);
    assert.equal((await source.removeManifest(repository, digest))?.code, 'MANIFEST_UNKNOWN');
    assert.deepEqual(await source.findBlob(repository, digest), { size: 32 });
    const answer = await fetch(`${registry.url}/v2/${repository}/manifests/${digest}`, { method: 'DELETE' });
    assert.equal(answer.status, 202, 'docker-registry no longer has this fault: the question before can go');
    assert.equal(await source.findBlob(repository, digest), undefined);
  });

  it('passes a blob of 48 MiB through in both directions', async () => {
    const bytes = Buffer.alloc(48 * 1024 * 1024, 7);
    await pushBlob(benchOf(source), repository, bytes);
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
      const image = await pushImage(benchOf(source), repository, [tagOf('v1')]);
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
      await pushImage(benchOf(source), repositoryOf('team/app'), [tagOf('v1')]);
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
      const progress = accepted(await append(benchOf(fresh), repository, state, { chunks: ['abc'] }));
      assert.equal(progress.offset, 3);
      await fresh.close();
      await pushImage(benchOf(source), repository, [tagOf('v1')]);
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
      await pushImage(benchOf(source), repositoryOf('team/app'), [tagOf('v1')]);
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
  it('is a 503 with Retry-After, for questions and for uploads (F-31)', async () => {
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
