import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cleanEnvironment, type Dockgate, startDockgate } from '../support/dockgate.ts';
import { goProgram, skipWithoutGoProgram } from '../support/go-program.ts';
import { buildImage, buildIndex } from '../support/image.ts';
import { createPusher, type Pusher } from '../support/pusher.ts';
import { run } from '../support/run.ts';
import { createCertificate, createRevocationList, type Holder, ofAuthority, pemOf } from '../support/x509.ts';

const PASSWORD = 'correct-horse-battery-9';
const POLICY = `policies:
  - name: signed
    match: ["prod/**"]
    rules: { scanned: { by: [inspector], within: 7d }, signatures: { by: [acme-release] } }
`;
const SCANNED = { config: { user: 'app' } };

/** Who may sign, who was revoked, whose name or root is another, and whose certificate is over. */
const root = createCertificate({ subject: 'C=DE, O=acme, CN=root', extensions: ofAuthority() });
const otherRoot = createCertificate({ subject: 'C=DE, O=acme, CN=root', extensions: ofAuthority() });
const NAME = 'C=DE, ST=BY, O=acme, CN=release';
const signers: Readonly<Record<string, readonly [Holder, Holder]>> = {
  release: [createCertificate({ subject: NAME, issuer: root }), root],
  revoked: [createCertificate({ subject: NAME, issuer: root }), root],
  stranger: [createCertificate({ subject: 'C=DE, ST=BY, O=acme, CN=stranger', issuer: root }), root],
  forger: [createCertificate({ subject: NAME, issuer: otherRoot }), otherRoot],
};

describe('notation', function () {
  this.timeout(300_000);
  let server: Dockgate;
  let pusher: Pusher;
  let directory: string;
  let count = 0;

  before(async function () {
    skipWithoutGoProgram(this, 'notation');
    directory = mkdtempSync(join(tmpdir(), 'dockgate-notation-'));
    writeFileSync(join(directory, 'root.pem'), root.pem);
    writeFileSync(join(directory, 'crl.pem'), createRevocationList(root, [signers.revoked?.[0] ?? root]));
    const config = `trust:
  stores: [{ name: acme, file: root.pem, crlFile: crl.pem }]
  notation:
    - { name: acme-release, trustStores: ["ca:acme"], trustedIdentities: ["x509.subject: ${NAME}"] }
`;
    server = await startDockgate({ directory, config });
    configureNotation(join(directory, 'notation'));
    await server.addUser('alice', PASSWORD, ['developer', '**']);
    pusher = createPusher(server, `alice:${PASSWORD}`);
  });
  after(() => server?.remove());

  /** By its address: to "localhost" notation speaks without TLS. */
  const registry = () => `127.0.0.1:${server.port}`;
  const notation = (...args: readonly string[]) =>
    run(goProgram('notation'), args, {
      cwd: directory,
      environment: {
        ...cleanEnvironment(),
        ...{ HOME: directory, XDG_CONFIG_HOME: directory, SSL_CERT_FILE: server.caPath },
        ...{ NOTATION_USERNAME: 'alice', NOTATION_PASSWORD: PASSWORD },
      },
    });

  async function sign(key: string, digest: string, ...more: readonly string[]): Promise<void> {
    // It reads what it signs, so the policy that asks for a signature is put away while it does.
    const ran = await notation('sign', '--key', key, ...more, `${registry()}/prod/app@${digest}`);
    assert.equal(ran.code, 0, ran.output);
  }
  const withPolicy = () => server.run(['policy', 'apply', '-f', '-'], POLICY);
  const withoutPolicy = () => server.run(['policy', 'remove', 'signed']);

  async function ask(digest: string): Promise<string> {
    const answer = await server.request(`/v2/prod/app/manifests/${digest}`, { basic: `alice:${PASSWORD}` });
    return answer.status === 200 ? '200' : `${answer.status} ${answer.text}`;
  }
  const newImage = () => buildImage({ ...SCANNED, layers: [[{ path: 'app', data: `image ${count++}` }]] });

  async function signedImage(key: string, ...more: readonly string[]): Promise<string> {
    const image = await newImage();
    await pusher.push('prod/app', image);
    await sign(key, image.digest, ...more);
    return image.digest;
  }

  it('signs an image, which is refused before and served then, and is verified by itself', async () => {
    const good = await signedImage('release');
    const unsigned = await newImage();
    await pusher.push('prod/app', unsigned);
    await withPolicy();
    try {
      assert.match(await ask(unsigned.digest), /^403 .*nothing here vouches for it/);
      assert.equal(await ask(good), '200');
      const verified = await notation('verify', `${registry()}/prod/app@${good}`);
      assert.equal(verified.code, 0, verified.output);
    } finally {
      await withoutPolicy();
    }
  });

  it('signs an index, which covers its images', async () => {
    const [first, second] = [await newImage(), await newImage()];
    const index = buildIndex([first, second]);
    await pusher.push('prod/app', index);
    await sign('release', index.digest);
    await withPolicy();
    try {
      for (const { digest } of [first, second, index]) assert.equal(await ask(digest), '200');
    } finally {
      await withoutPolicy();
    }
  });

  for (const [key, why] of [
    ['revoked', /acme-release whose certificate is revoked/],
    ['stranger', /by C=DE, ST=BY, O=acme, CN=stranger, who is not trusted/],
    ['forger', /by C=DE, ST=BY, O=acme, CN=release, who is not trusted/],
  ] as const) {
    it(`V-33: signs with the certificate of a ${key}, and the image stays refused`, async () => {
      const digest = await signedImage(key);
      await withPolicy();
      try {
        assert.match(await ask(digest), why);
      } finally {
        await withoutPolicy();
      }
    });
  }

  it('V-33: signs as COSE, which is refused with the way that is read', async () => {
    const digest = await signedImage('release', '--signature-format', 'cose');
    await withPolicy();
    try {
      assert.match(await ask(digest), /^403 .*a Notation signature in COSE: sign as JWS/);
    } finally {
      await withoutPolicy();
    }
  });
});

/** What `notation key add` and `notation cert add` write. */
function configureNotation(home: string): void {
  const store = join(home, 'truststore', 'x509', 'ca', 'acme');
  mkdirSync(store, { recursive: true });
  writeFileSync(join(store, 'root.pem'), root.pem);
  const keys = Object.entries(signers).map(([name, [leaf, above]]) => {
    const [keyPath, certPath] = [join(home, `${name}.key`), join(home, `${name}.crt`)];
    writeFileSync(keyPath, leaf.privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
    writeFileSync(certPath, `${leaf.pem}${pemOf('CERTIFICATE', above.der)}`);
    return { name, keyPath, certPath };
  });
  writeFileSync(join(home, 'signingkeys.json'), JSON.stringify({ keys }));
  const policy = {
    ...{ name: 'all', registryScopes: ['*'], signatureVerification: { level: 'strict' } },
    ...{ trustStores: ['ca:acme'], trustedIdentities: [`x509.subject: ${NAME}`] },
  };
  const file = join(home, 'trustpolicy.json');
  writeFileSync(file, JSON.stringify({ version: '1.0', trustPolicies: [policy] }));
  chmodSync(file, 0o600);
}
