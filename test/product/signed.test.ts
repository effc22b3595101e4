import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Dockgate, startDockgate } from '../support/dockgate.ts';
import { type BuiltImage, buildImage, buildIndex } from '../support/image.ts';
import { createKeyless } from '../support/keyless.ts';
import { notationEnvelope, notationReferrer } from '../support/notary.ts';
import { createPusher, type Pusher } from '../support/pusher.ts';
import {
  bundleReferrer,
  createSigner,
  payloadOf,
  referrerOf,
  simpleSignature,
  statementOf,
  tagOf,
} from '../support/signer.ts';
import { createCertificate } from '../support/x509.ts';

const PASSWORD = 'correct-horse-battery-9';
const PROVENANCE = 'https://slsa.dev/provenance/v1';
const POLICY = `policies:
  - name: signed
    match: ["prod/**"]
    rules: { scanned: { by: [inspector], within: 7d }, signatures: { by: [release, old, ended, acme, ci] } }
  - name: built
    match: ["built/**"]
    rules:
      scanned: { by: [inspector], within: 7d }
      attestations:
        - { type: "${PROVENANCE}", by: [release], builder: ["https://ci.corp/*"], source: ["git+https://git.corp/*"] }
`;

const [release, old, ended, stranger] = [createSigner(), createSigner(), createSigner(), createSigner()];
const acme = createCertificate();
const sigstore = createKeyless();
const ci = { issuer: 'https://ci.test', name: 'https://git.test/corp/app/release.yml' };

describe('images that must be signed', function () {
  this.timeout(120_000);
  let server: Dockgate;
  let pusher: Pusher;
  let count = 0;

  before(async () => {
    const directory = mkdtempSync(join(tmpdir(), 'dockgate-signed-'));
    for (const [name, { pem }] of Object.entries({ release, old, ended })) {
      writeFileSync(join(directory, `${name}.pub`), pem);
    }
    writeFileSync(join(directory, 'acme.pem'), acme.pem);
    writeFileSync(join(directory, 'root.json'), sigstore.trustedRoot);
    const config = `trust:
  keys:
    - { name: release, file: release.pub }
    - { name: old, file: old.pub, revoked: true }
    - { name: ended, file: ended.pub, until: "2024-02-29" }
  rootFile: root.json
  identities: [{ name: ci, issuer: "https://ci.test", subject: "https://git.test/corp/*" }]
  stores: [{ name: acme, file: acme.pem }]
  notation: [{ name: acme, trustStores: ["ca:acme"], trustedIdentities: ["*"] }]
`;
    server = await startDockgate({ directory, config });
    await server.addUser('alice', PASSWORD, ['maintainer', '**']);
    await server.run(['policy', 'apply', '-f', '-'], POLICY);
    pusher = createPusher(server, `alice:${PASSWORD}`);
  });
  after(() => server.remove());

  /** An image that was never pushed before. */
  const newImage = () =>
    buildImage({ config: { user: 'app' }, layers: [[{ path: 'app', data: `image ${count++}` }]] });

  /** 200, or the sentence of the refusal. */
  async function ask({ digest }: { readonly digest: string }, repository = 'prod/app'): Promise<string> {
    const answer = await server.request(`/v2/${repository}/manifests/${digest}`, {
      basic: `alice:${PASSWORD}`,
    });
    return answer.status === 200 ? '200' : `${answer.status} ${answer.text}`;
  }

  async function remove({ digest }: { readonly digest: string }): Promise<void> {
    const options = { basic: `alice:${PASSWORD}`, method: 'DELETE' };
    assert.equal((await server.request(`/v2/prod/app/manifests/${digest}`, options)).status, 202);
  }

  for (const [way, sign] of [
    ['under a tag', (image: BuiltImage) => simpleSignature(image.digest, release)],
    ['in a bundle that refers to the image', (image: BuiltImage) => bundleReferrer(image, release)],
    [
      'by identity, without a key',
      (image: BuiltImage) => referrerOf(image, sigstore.bundle(statementOf(image.digest), { identity: ci })),
    ],
    ['by Notation', (image: BuiltImage) => notationReferrer(image, notationEnvelope(image.digest, [acme]))],
  ] as const) {
    it(`are refused before, served after they are signed ${way}, and refused when that is deleted`, async () => {
      const image = await newImage();
      await pusher.push('prod/app', image);
      assert.match(
        await ask(image),
        /^403 .*rule signatures of policy signed: not signed by release or old or ended or acme or ci: nothing here vouches/,
      );
      const signature = sign(image);
      await pusher.push('prod/app', signature, way === 'under a tag' ? tagOf(image.digest) : undefined);
      assert.equal(await ask(image), '200');
      assert.equal(await ask(signature), '200');
      await remove(signature);
      assert.match(await ask(image), /^403 .*nothing here vouches/);
    });
  }

  for (const [title, sign, why] of [
    ['by nobody who is trusted', (image: BuiltImage) => bundleReferrer(image, stranger), 'by no trusted key'],
    [
      'by a revoked key',
      (image: BuiltImage) => bundleReferrer(image, old),
      'signed by old, which is revoked',
    ],
    [
      'by a key that is trusted no longer',
      (image: BuiltImage) => bundleReferrer(image, ended),
      'signed by ended, trusted until 2024-02-29',
    ],
    [
      'V-33: for another digest',
      (image: BuiltImage) => bundleReferrer(image, release, statementOf(`sha256:${'0'.repeat(64)}`)),
      'a signature by release for another digest',
    ],
  ] as const) {
    it(`are refused when they are signed ${title}`, async () => {
      const image = await newImage();
      await pusher.push('prod/app', image);
      await pusher.push('prod/app', sign(image));
      assert.match(await ask(image), new RegExp(`^403 .*${why}`));
    });
  }

  it('V-33: are refused under a payload for another digest, whoever signed it and whatever its tag', async () => {
    const [image, other] = [await newImage(), await newImage()];
    await pusher.push('prod/app', image);
    const signature = simpleSignature(image.digest, release, payloadOf(other.digest));
    await pusher.push('prod/app', signature, tagOf(image.digest));
    assert.match(await ask(image), /^403 .*a signature by release for another digest/);
  });

  it('are shown with who signed them, who says so and when, and with what counts for nothing and why', async () => {
    const image = await newImage();
    const shown = () => server.run(['image', 'show', `prod/app@${image.digest}`]);
    await pusher.push('prod/app', image);
    const byRelease = bundleReferrer(image, release);
    for (const signature of [
      byRelease,
      referrerOf(image, sigstore.bundle(statementOf(image.digest), { identity: ci })),
      notationReferrer(image, notationEnvelope(image.digest, [acme])),
      bundleReferrer(image, old),
    ]) {
      await pusher.push('prod/app', signature);
    }
    const text = await shown();
    const time = '\\d{4}-\\d\\d-\\d\\dT[\\d:.]+Z';
    for (const line of [
      '^signed by release$',
      `^signed by ci \\(${ci.name}, says ${ci.issuer}\\) at ${time}$`,
      `^signed by acme \\(C=DE, .*CN=release, says C=DE, .*\\) at 2026-01-01T00:00:00.000Z until ${time}$`,
      '^does not count: signed by old, which is revoked$',
    ]) {
      assert.match(text, new RegExp(line, 'm'));
    }
    await remove(byRelease);
    assert.doesNotMatch(await shown(), /^signed by release$/m);
  });

  it('are served when an index that lists them is signed, until the index is gone', async () => {
    const [first, second, alone] = [await newImage(), await newImage(), await newImage()];
    const index = buildIndex([first, second]);
    await pusher.push('prod/app', index);
    await pusher.push('prod/app', alone);
    assert.match(await ask(first), /^403/);
    assert.match(await ask(index), /^403/);
    await pusher.push('prod/app', bundleReferrer(index, release));
    for (const one of [first, second, index]) assert.equal(await ask(one), '200');
    assert.match(await ask(alone), /^403/);
    await remove(index);
    assert.match(await ask(first), /^403/);
  });

  it('are refused in a repository that does not hold the signature', async () => {
    const image = await newImage();
    for (const repository of ['prod/app', 'prod/other']) await pusher.push(repository, image);
    await pusher.push('prod/app', bundleReferrer(image, release));
    assert.equal(await ask(image), '200');
    assert.match(await ask(image, 'prod/other'), /^403/);
  });

  it('V-31: are refused though they are labelled as a signature, by a tag, a type or a subject', async () => {
    const signed = await newImage();
    const subject = { config: { user: 'app' }, layers: [[{ path: 'app', data: 'worm' }]], subject: signed };
    const image = await buildImage(subject);
    await pusher.push('prod/app', image, tagOf(signed.digest));
    assert.match(await ask(image), /^403 .*rule signatures/);
  });

  it('need the attestation that a policy asks for, by its builder and from its source', async () => {
    const provenance = (builder: string, source: string) => ({
      buildDefinition: { externalParameters: { source } },
      runDetails: { builder: { id: builder } },
    });
    const [image, wrong] = [await newImage(), await newImage()];
    const good = provenance('https://ci.corp/7', 'git+https://git.corp/app');
    const bad = provenance('https://evil.test/7', 'git+https://git.corp/app');
    for (const one of [image, wrong]) await pusher.push('built/app', one);
    assert.match(await ask(image, 'built/app'), /^403 .*rule attestations of policy built: no attestation/);
    const referrer = bundleReferrer(image, release, statementOf(image.digest, PROVENANCE, good));
    await pusher.push('built/app', referrer);
    assert.equal(await ask(image, 'built/app'), '200');
    await pusher.push(
      'built/app',
      bundleReferrer(wrong, release, statementOf(wrong.digest, PROVENANCE, bad)),
    );
    assert.match(await ask(wrong, 'built/app'), /^403 .*of builder https:\/\/ci.corp/);
  });
});
