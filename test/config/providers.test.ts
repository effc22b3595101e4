import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../src/config/index.ts';

const PROVIDER = 'id: corp, issuer: https://sso.test/realms/main, clientId: dockgate';

describe('OpenID providers in the configuration', () => {
  const directory = mkdtempSync(join(tmpdir(), 'dockgate-providers-'));
  after(() => rmSync(directory, { recursive: true }));

  async function load(text: string) {
    writeFileSync(join(directory, 'dockgate.yaml'), text);
    const { config } = await loadConfig({ options: { config: 'dockgate.yaml' }, environment: {}, directory });
    return config.providers;
  }

  it('need a name, an issuer and a client; the rest has defaults', async () => {
    const [provider] = await load(`providers: [{ ${PROVIDER} }]\n`);
    assert.deepEqual(provider, {
      ...{ id: 'corp', label: 'corp', issuer: 'https://sso.test/realms/main', clientId: 'dockgate' },
      ...{ clientSecret: undefined, scopes: ['profile', 'email'], nameClaim: 'preferred_username' },
      ...{ groupsClaim: 'groups', emailDomains: [], lifetimeMs: 86_400_000 },
      ...{ caFile: undefined, allowsPrivate: false },
    });
    assert.deepEqual(await load('{}\n'), []);
  });

  it('take the secret of the client from a file, and domains in any case', async () => {
    writeFileSync(join(directory, 'secret'), 's3cret\n', { mode: 0o600 });
    const [provider] = await load(
      `providers: [{ ${PROVIDER}, clientSecretFile: secret, emailDomains: Corp.Example, caFile: ca.crt }]\n`,
    );
    assert.equal(provider?.clientSecret, 's3cret');
    assert.deepEqual(provider?.emailDomains, ['corp.example']);
    assert.equal(provider?.caFile, join(directory, 'ca.crt'));
  });

  const wrong: readonly (readonly [text: string, told: RegExp])[] = [
    ['id: corp, clientId: x', /providers\[0\]\.issuer/],
    ['id: corp, issuer: http://sso.test, clientId: x', /providers\[0\]\.issuer: must be https:/],
    ['id: a/b, issuer: https://sso.test, clientId: x', /providers\[0\]\.id: must be a-z 0-9 -/],
    [`${PROVIDER}, clientSecret: a, clientSecretFile: b`, /clientSecretFile: given beside clientSecret/],
    [`${PROVIDER}, emailDomains: ["*.corp.example"]`, /emailDomains/],
    [`${PROVIDER}, lifetime: 1m`, /lifetime/],
    [`${PROVIDER}, secret: x`, /providers\[0\]\.secret/],
  ];
  for (const [text, told] of wrong) {
    it(`refuse { ${text} }`, async () => {
      await assert.rejects(load(`providers: [{ ${text} }]\n`), told);
    });
  }

  it('are each another one, by name and by issuer', async () => {
    await assert.rejects(
      load(`providers: [{ ${PROVIDER} }, { ${PROVIDER} }]\n`),
      /providers\[1\]\.id: another provider has it already[\s\S]*providers\[1\]\.issuer: another/,
    );
  });
});
