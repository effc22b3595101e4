import assert from 'node:assert/strict';
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type ClientAuthority,
  type ClientCertificate,
  createClientAuthority,
  curlWith as curl,
} from '../support/client-authority.ts';
import { type Dockgate, startDockgate } from '../support/dockgate.ts';
import { run } from '../support/run.ts';
import { until } from '../support/until.ts';
import { makeHome } from './container-client.ts';

const PASSWORD = 'correct-horse-battery-9';
const config = ({ caFile, crlFile }: ClientAuthority, use: string) => `
clientCertificates:
  caFile: ${caFile}
  crlFile: ${crlFile}
  use: ${use}
  rules:
    - { subject: 'O=corp,CN=ci', robot: ci }
    - { name: 'URI:spiffe://corp/alice', user: alice }
    - { subject: 'O=corp,CN=gone', robot: gone }
`;

describe('a client certificate', function () {
  this.timeout(120_000);
  let authority: ClientAuthority;
  let server: Dockgate;
  let ci: ClientCertificate;

  before(async () => {
    authority = createClientAuthority();
    ci = authority.issue('ci');
    server = await startDockgate({ config: config(authority, 'alone'), workers: 1 });
    await server.run(['robot', 'add', 'ci']);
    await server.addUser('alice', PASSWORD, ['developer', 'team/**']);
    await server.run(['grant', 'add', '--role', 'developer', '--on', 'team/**', '--robot', 'ci']);
  });
  after(async () => {
    await server?.remove();
    authority?.remove();
  });

  it('signs in by its subject or by a name in it, with curl', async () => {
    assert.equal((await curl(server, ci)).status, 200);
    const alice = authority.issue('somebody', { name: 'URI:spiffe://corp/alice' });
    assert.equal((await curl(server, alice)).status, 200);
    assert.equal((await curl(server, undefined)).status, 401);
    const me = await run('curl', [
      ...['-sS', '--cacert', server.caPath, '--cert', alice.certificate, '--key', alice.key],
      `${server.url}/token?scope=repository:team/app:pull`,
    ]);
    assert.match(me.output, /"scope":"repository:team\/app:pull"/);
  });

  for (const client of ['skopeo', 'podman'] as const) {
    it(`lets ${client} in by client.cert and client.key beside the CA`, async () => {
      const home = makeHome(server);
      try {
        cpSync(ci.certificate, join(home.certs, 'client.cert'));
        cpSync(ci.key, join(home.certs, 'client.key'));
        // podman wants the file that it is told of to be there.
        writeFileSync(join(home.directory, 'auth.json'), '{}');
        const place = `${server.host}/team/nothing:1`;
        const storage = ['--root', join(home.directory, 'root'), '--runroot', join(home.directory, 'run')];
        const args = {
          skopeo: ['inspect', '--cert-dir', home.certs, `docker://${place}`],
          podman: [...storage, '--storage-driver=vfs', 'pull', '--cert-dir', home.certs, place],
        }[client];
        const inside = await run(client, args, { environment: home.environment });
        assert.match(inside.output, /manifest unknown|MANIFEST_UNKNOWN|no such|not found|there is no/i);
        const outside = args.map((arg) => arg.replace('/team/', '/other/'));
        assert.match(
          (await run(client, outside, { environment: home.environment })).output,
          /denied|no grant|403/i,
        );
      } finally {
        home.remove();
      }
    });
  }

  it('is refused with a sentence and its serial in the record: expired, other authority, other purpose, not mapped', async () => {
    const other = createClientAuthority('others');
    const twin = createClientAuthority();
    try {
      // Of an authority that only has the name of ours: OpenSSL leaves no request to answer.
      assert.ok([400, 401].includes((await curl(server, twin.issue('ci'))).status));
      for (const [shown, sentence, reason] of [
        [authority.issue('ci', { end: '20200201000000Z' }), /not valid at this time/, 'expired'],
        [other.issue('ci'), /authority that is not trusted/, 'authority'],
        [authority.issue('ci', { purpose: 'serverAuth' }), /clientAuth/, 'purpose'],
        [authority.issue('ci', { purpose: '' }), /clientAuth/, 'purpose'],
        [authority.issue('ci2'), /belongs to no account/, 'unmapped'],
        [authority.issue('gone'), /belongs to no account/, 'unmapped'],
      ] as const) {
        const { status, text } = await curl(server, shown, '-u', `alice:${PASSWORD}`);
        assert.equal(status, 401, text);
        assert.match(text, sentence);
        await until(async () => {
          const { stdout } = await server.cli([
            'audit',
            'search',
            '--reason',
            `certificate.${reason}`,
            '--json',
          ]);
          return /as certificate [0-9A-F]{4,}/.test(stdout);
        }, `the record of certificate.${reason}`);
      }
    } finally {
      other.remove();
      twin.remove();
    }
  });

  it('of an account that is disabled signs in no more', async () => {
    const alice = authority.issue('x', { name: 'URI:spiffe://corp/alice' });
    await server.run(['user', 'disable', 'alice']);
    const { status, text } = await curl(server, alice);
    assert.deepEqual([status, /not active/.test(text)], [401, true]);
    await server.run(['user', 'enable', 'alice']);
  });

  it('as a second factor signs in nobody by itself, and is needed beside the password of its owner', async () => {
    const second = await startDockgate({ config: config(authority, 'second-factor'), workers: 1 });
    try {
      await second.run(['robot', 'add', 'ci']);
      await second.addUser('alice', PASSWORD);
      await second.addUser('bob', PASSWORD);
      const alice = authority.issue('x', { name: 'URI:spiffe://corp/alice' });
      assert.equal((await curl(second, alice)).status, 401);
      assert.equal((await curl(second, alice, '-u', `alice:${PASSWORD}`)).status, 200);
      const without = await curl(second, undefined, '-u', `alice:${PASSWORD}`);
      assert.deepEqual([without.status, /is needed beside/.test(without.text)], [401, true]);
      const others = await curl(second, alice, '-u', `bob:${PASSWORD}`);
      assert.deepEqual([others.status, /another account/.test(others.text)], [401, true]);
    } finally {
      await second.remove();
    }
  });
});
