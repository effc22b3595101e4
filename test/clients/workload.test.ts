import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type JWTPayload, SignJWT } from 'jose';
import { createTestCertificate } from '../support/certificates.ts';
import { type Dockgate, startDockgate } from '../support/dockgate.ts';
import { skopeoClient } from './container-client.ts';

const CONFIG = (issuer: string, caFile: string, privateAddresses: boolean) => `
workloads:
  - issuer: ${issuer}
    caFile: ${caFile}
    privateAddresses: ${privateAddresses}
    rules:
      - { robot: ci, claims: { repository: org/app, ref: refs/heads/* } }
`;

describe('a build with the token of its CI server', function () {
  this.timeout(120_000);
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const folder = mkdtempSync(join(tmpdir(), 'issuer-'));
  const caFile = join(folder, 'ca.crt');
  let server: Server;
  let issuer = '';
  let dockgate: Dockgate;

  before(async () => {
    const { certificate, key } = createTestCertificate({ names: ['127.0.0.1', 'localhost'] });
    writeFileSync(caFile, certificate);
    server = createServer({ cert: certificate, key }, (request, response) => {
      const keys = [{ ...publicKey.export({ format: 'jwk' }), kid: 'k1', alg: 'RS256', use: 'sig' }];
      const isKeys = request.url === '/keys';
      response.end(JSON.stringify(isKeys ? { keys } : { issuer, jwks_uri: `${issuer}/keys` }));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    assert.ok(typeof address === 'object' && address !== null);
    issuer = `https://localhost:${address.port}`;
    dockgate = await startDockgate({ config: CONFIG(issuer, caFile, true) });
    await dockgate.run(['robot', 'add', 'ci']);
    await dockgate.run(['grant', 'add', '--role', 'developer', '--on', 'org/**', '--robot', 'ci']);
  });
  after(async () => {
    await dockgate?.remove();
    server?.closeAllConnections();
    server?.close();
    rmSync(folder, { recursive: true });
  });

  const token = (given: JWTPayload = {}) =>
    new SignJWT({
      iss: issuer,
      aud: 'dockgate',
      sub: 'job',
      repository: 'org/app',
      ref: 'refs/heads/main',
      ...given,
    })
      .setProtectedHeader({ alg: 'RS256', kid: 'k1' })
      .setIssuedAt()
      .setExpirationTime('5m')
      .sign(privateKey);

  it('C-11: signs in with skopeo by its token as password, and not by one of another repository', async () => {
    const client = skopeoClient(dockgate);
    try {
      const right = await client.login('ci', await token());
      assert.equal(right.code, 0, right.output);
      const wrong = await client.login('ci', await token({ repository: 'org/app-evil' }));
      assert.notEqual(wrong.code, 0);
    } finally {
      client.remove();
    }
  });

  it('is given a token of ours in exchange (RFC 8693), with what its robot may', async () => {
    const form = new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      subject_token: await token(),
      scope: 'repository:org/app:pull,push repository:other/app:pull',
    });
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const answer = await dockgate.request('/token', { method: 'POST', headers, body: form.toString() });
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.json().scope, 'repository:org/app:pull,push');
    form.set('subject_token', `${form.get('subject_token')?.slice(0, -4)}AAAA`);
    const forged = await dockgate.request('/token', { method: 'POST', headers, body: form.toString() });
    assert.equal(forged.status, 401);
  });

  it('P-23: has its keys looked for at no private address unless that is configured', async () => {
    const closed = await startDockgate({ config: CONFIG(issuer, caFile, false), workers: 1 });
    try {
      const answer = await closed.request('/token', { basic: `ci:${await token()}` });
      assert.equal(answer.status, 401);
      assert.match(closed.output(), /keys of an issuer of workload tokens could not be had/);
    } finally {
      await closed.remove();
    }
  });
});
