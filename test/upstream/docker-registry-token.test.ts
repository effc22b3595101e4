import assert from 'node:assert/strict';
import { createSign } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { silentLogger, systemClock } from '../../src/base/index.ts';
import { createUpstream } from '../../src/upstream/index.ts';
import { pushImage, repositoryOf, tagOf } from '../contracts/source-bench.ts';
import { createTestCertificate, type TestCertificate } from '../support/certificates.ts';
import { startDockerRegistry } from '../support/docker-registry.ts';
import { benchOf } from './bench.ts';

const parts = { clock: systemClock, logger: silentLogger };
const account = { username: 'gate', password: 'secret' };

/** A token as docker-registry 2.8.2 reads it: RS256, the key's certificate in the header. */
function tokenFor(signer: TestCertificate, scopes: readonly string[]): string {
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const der = signer.certificate.replace(/-----[^-]+-----|\s/g, '');
  const nowSeconds = Math.floor(Date.now() / 1000);
  const access = scopes.map((scope) => {
    const [type, name, actions = ''] = scope.split(':');
    return { type, name, actions: actions.split(',') };
  });
  const claims = {
    iss: 'test',
    sub: 'gate',
    aud: 'registry',
    exp: nowSeconds + 300,
    nbf: nowSeconds - 60,
    iat: nowSeconds,
    jti: 'one',
    access,
  };
  const signed = `${encode({ typ: 'JWT', alg: 'RS256', x5c: [der] })}.${encode(claims)}`;
  return `${signed}.${createSign('sha256').update(signed).sign(signer.key, 'base64url')}`;
}

/** A token service that gives what is asked for to the one account it knows. */
async function startTokenService(signer: TestCertificate) {
  const asked: string[][] = [];
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://service');
    const scopes = url.searchParams.getAll('scope');
    const isKnown =
      request.headers.authorization === `Basic ${Buffer.from('gate:secret').toString('base64')}`;
    if (!isKnown) return void response.writeHead(401).end();
    asked.push(scopes);
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ token: tokenFor(signer, scopes), expires_in: 300 }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(address !== null && typeof address !== 'string');
  return {
    origin: `http://127.0.0.1:${address.port}`,
    asked,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

describe('an upstream that asks for tokens of a service', () => {
  it('is given one for each thing that is done there, pushes, mounts, lists and deletions included', async () => {
    const signer = createTestCertificate();
    const service = await startTokenService(signer);
    const registry = await startDockerRegistry({
      token: {
        realm: `${service.origin}/token`,
        service: 'registry',
        issuer: 'test',
        certificates: signer.certificate,
      },
    });
    const source = createUpstream({ url: registry.url, ...account, tokenRealms: [service.origin] }, parts);
    try {
      const repository = repositoryOf('team/app');
      const image = await pushImage(benchOf(source), repository, [tagOf('v1')]);
      assert.equal(await source.resolve(repository, tagOf('v1')), image.digest);
      const other = repositoryOf('team/other');
      assert.ok(await source.mount(other, repository, image.config.digest));
      assert.deepEqual(await source.listTags(repository, { limit: 10 }), ['v1']);
      assert.deepEqual(await source.listRepositories({ limit: 10 }), ['team/app', 'team/other']);
      assert.equal(await source.removeManifest(repository, image.digest), undefined);
      assert.equal((await source.check()).isHealthy, true);
      const scopes = new Set(service.asked.flat());
      for (const scope of [
        'repository:team/app:pull',
        'repository:team/app:pull,push',
        'repository:team/app:pull,delete',
        'registry:catalog:*',
      ]) {
        assert.ok(scopes.has(scope), scope);
      }
    } finally {
      await source.close();
      await registry.stop();
      service.close();
    }
  });

  it('is not signed in to when its service is not on the list (P-01)', async () => {
    const signer = createTestCertificate();
    const service = await startTokenService(signer);
    const realm = `${service.origin}/token`;
    const registry = await startDockerRegistry({
      token: { realm, service: 'registry', issuer: 'test', certificates: signer.certificate },
    });
    const source = createUpstream({ url: registry.url, ...account }, parts);
    try {
      await assert.rejects(source.resolve(repositoryOf('team/app'), tagOf('v1')), {
        code: 'DG_UPSTREAM_SIGN_IN',
      });
      assert.deepEqual(service.asked, []);
    } finally {
      await source.close();
      await registry.stop();
      service.close();
    }
  });
});
