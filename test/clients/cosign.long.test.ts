import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cleanEnvironment, type Dockgate, startDockgate } from '../support/dockgate.ts';
import { goProgram, skipWithoutGoProgram } from '../support/go-program.ts';
import { type BuiltImage, type BuiltIndex, buildImage, buildIndex } from '../support/image.ts';
import { createPusher, type Pusher } from '../support/pusher.ts';
import { type Ran, run } from '../support/run.ts';

const PASSWORD = 'correct-horse-battery-9';
const POLICY = `policies:
  - name: plain
    match: ["build/**"]
    rules: { scanned: { by: [inspector], within: 7d } }
  - name: signed
    match: ["prod/**"]
    rules: { scanned: { by: [inspector], within: 7d }, signatures: { by: [release, old] } }
  - name: built
    match: ["built/**"]
    rules:
      scanned: { by: [inspector], within: 7d }
      attestations:
        - { type: "https://slsa.dev/provenance/v1", by: [release], builder: ["https://ci.corp/*"], source: ["git+https://git.corp/*"] }
        - { type: "https://cyclonedx.org/bom", by: [release] }
`;
/** Offline: no transparency log, and no service that says which ones there are. */
const OFFLINE = ['--yes', '--use-signing-config=false', '--tlog-upload=false'];

describe('cosign', function () {
  this.timeout(300_000);
  let server: Dockgate;
  let pusher: Pusher;
  let directory: string;
  let count = 0;

  before(async function () {
    skipWithoutGoProgram(this, 'cosign');
    directory = mkdtempSync(join(tmpdir(), 'dockgate-cosign-'));
    for (const name of ['release', 'old', 'stranger']) {
      const made = await cosign(['generate-key-pair', '--output-key-prefix', name]);
      assert.equal(made.code, 0, made.output);
    }
    const config = `trust:
  keys:
    - { name: release, file: release.pub }
    - { name: old, file: old.pub, revoked: true }
`;
    server = await startDockgate({ directory, config });
    cpSync(server.caPath, join(directory, 'trusted', 'ca.crt'));
    await server.addUser('alice', PASSWORD, ['developer', '**']);
    await server.run(['policy', 'apply', '-f', '-'], POLICY);
    pusher = createPusher(server, `alice:${PASSWORD}`);
    const signedIn = await cosign(['login', server.host, '-u', 'alice', '-p', PASSWORD]);
    assert.equal(signedIn.code, 0, signedIn.output);
  });
  after(() => server?.remove());

  const cosign = (args: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<Ran> =>
    run(goProgram('cosign'), args, {
      cwd: directory,
      environment: {
        ...cleanEnvironment(),
        HOME: directory,
        DOCKER_CONFIG: directory,
        COSIGN_PASSWORD: '',
        ...(server ? { SSL_CERT_FILE: server.caPath, ...environment } : {}),
      },
    });

  /** It reads what it signs, so it reads it where the image is built, and puts the signature where it is needed. */
  const sign = async (key: string, digest: string, ...more: readonly string[]): Promise<void> => {
    const image = `${server.host}/build/app@${digest}`;
    const signed = await cosign(['sign', '--key', `${key}.key`, ...OFFLINE, ...more, image], {
      COSIGN_REPOSITORY: `${server.host}/prod/app`,
    });
    assert.equal(signed.code, 0, signed.output);
  };
  /** In `built/app`, where an attestation of the build and one of what is in it are asked for. */
  const attest = async (
    key: string,
    digest: string,
    type: string,
    predicate: object,
    ...more: readonly string[]
  ) => {
    writeFileSync(join(directory, 'predicate.json'), JSON.stringify(predicate));
    const what = ['--key', `${key}.key`, '--type', type, '--predicate', 'predicate.json'];
    const attested = await cosign(
      ['attest', ...what, ...OFFLINE, ...more, `${server.host}/build/app@${digest}`],
      {
        COSIGN_REPOSITORY: `${server.host}/built/app`,
      },
    );
    assert.equal(attested.code, 0, attested.output);
  };
  const provenance = (builder: string, source = 'git+https://git.corp/app') => ({
    buildDefinition: {
      ...{ buildType: 'https://ci.corp/build', externalParameters: { source }, internalParameters: {} },
      resolvedDependencies: [],
    },
    runDetails: { builder: { id: builder }, metadata: { invocationId: '1' } },
  });

  /** What skopeo says when it pulls the image; empty: it came. */
  async function pull(digest: string, repository = 'prod/app'): Promise<string> {
    const target = `dir:${join(directory, `pulled${count++}`)}`;
    const credentials = ['--src-creds', `alice:${PASSWORD}`, '--src-cert-dir', join(directory, 'trusted')];
    const source = `docker://${server.host}/${repository}@${digest}`;
    const { code, output } = await run('skopeo', ['copy', '--all', ...credentials, source, target]);
    return code === 0 ? '' : output;
  }
  const pushToBoth = async (image: BuiltImage | BuiltIndex): Promise<void> => {
    for (const repository of ['build/app', 'prod/app']) await pusher.push(repository, image);
  };
  const newImage = () => buildImage({ layers: [[{ path: 'app', data: `image ${count++}` }]] });

  for (const [way, format] of [
    ['under a tag', '--new-bundle-format=false'],
    ['in a bundle', '--new-bundle-format=true'],
  ] as const) {
    it(`signs ${way}, and skopeo gets the image then and not before, and cosign verifies it`, async () => {
      const image = await newImage();
      await pushToBoth(image);
      assert.match(await pull(image.digest), /rule signatures of policy signed: not signed by release/);
      await sign('stranger', image.digest, format);
      assert.match(await pull(image.digest), /a signature by no trusted key/);
      await sign('old', image.digest, format);
      assert.match(await pull(image.digest), /signed by old, which is revoked/);
      await sign('release', image.digest, format);
      assert.equal(await pull(image.digest), '');
      const verify = ['verify', '--key', 'release.pub', '--insecure-ignore-tlog', format];
      const verified = await cosign([...verify, `${server.host}/prod/app@${image.digest}`]);
      assert.equal(verified.code, 0, verified.output);
    });

    it(`attests the build and the SBOM ${way}, and skopeo gets the image when both are as they are asked for`, async () => {
      const image = await newImage();
      for (const repository of ['build/app', 'built/app']) await pusher.push(repository, image);
      const bom = { bomFormat: 'CycloneDX', specVersion: '1.5', components: [] };
      await attest('release', image.digest, 'cyclonedx', bom, format);
      for (const [key, builder, source] of [
        ['release', 'https://laptop.test/x', undefined],
        ['release', 'https://ci.corp/runner', 'git+https://evil.test/app'],
        ['stranger', 'https://ci.corp/runner', undefined],
      ] as const) {
        await attest(key, image.digest, 'slsaprovenance1', provenance(builder, source), format);
        assert.match(
          await pull(image.digest, 'built/app'),
          /no attestation https:\/\/slsa.dev\/provenance\/v1 by release/,
        );
      }
      await attest('release', image.digest, 'slsaprovenance1', provenance('https://ci.corp/runner'), format);
      assert.equal(await pull(image.digest, 'built/app'), '');
    });

    it(`signs an index ${way}, which covers its images`, async () => {
      const [first, second] = [await newImage(), await newImage()];
      const index = buildIndex([first, second]);
      await pushToBoth(index);
      assert.match(await pull(first.digest), /rule signatures/);
      await sign('release', index.digest, format);
      for (const { digest } of [first, second, index]) assert.equal(await pull(digest), '');
    });
  }
});
