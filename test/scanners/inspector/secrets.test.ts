import assert from 'node:assert/strict';
import type { Inspector } from '../../../src/scanners/index.ts';
import { buildArtifact, buildImage, buildTar } from '../../support/image.ts';
import { plantSecrets } from './planted.ts';
import {
  createRandom,
  newPrivateKey,
  openInspector,
  scan,
  scanFiles,
  secretsOf,
  toLine,
} from './scanning.ts';

const random = createRandom('secrets');

describe('secrets in layers', () => {
  let inspector: Inspector;
  before(() => {
    inspector = openInspector();
  });
  after(() => inspector.close());

  for (const { id, path } of plantSecrets()) {
    it(`are found: ${id} in ${path}`, async () => {
      const planted = plantSecrets().find((one) => one.id === id && one.path === path);
      assert.ok(planted);
      const report = await scanFiles(inspector, [planted]);
      assert.equal(report.scan.status, 'done');
      assert.ok(
        secretsOf(report).includes(`${id} ${path}`),
        `found: ${secretsOf(report).join(', ') || 'nothing'}`,
      );
      assert.ok(!JSON.stringify(report).includes(planted.secret), 'the report repeats the secret');
    });
  }

  it('are found in an application that lies among the files of packages', async () => {
    const base = '/usr/lib/python3/dist-packages/app';
    const files = plantSecrets().map(({ path, data }, at) => ({
      path: path.replace(/.*\//, `${base}/n${at}/`),
      data,
    }));
    const report = await scanFiles(inspector, files);
    const found = new Set(secretsOf(report).map((line) => line.split(' ')[0]));
    const missed = plantSecrets().filter(({ id }) => !found.has(id));
    // A Google API key in a package is one that its makers publish; password files of the home folder stay found.
    assert.deepEqual(
      missed.map(({ id }) => id),
      ['gcp-api-key', 'google-oauth-client-secret'],
    );
  });

  it('are found although a comment in the file asks to ignore them', async () => {
    const key = newPrivateKey();
    const report = await scanFiles(inspector, [
      { path: 'app/a.pem', data: `# secretlint-disable\n${key}` },
      { path: 'app/b.pem', data: `/* secretlint-disable @secretlint/secretlint-rule-privatekey */\n${key}` },
      { path: 'app/c.sh', data: `export T=ghp_${random(36)} # secretlint-disable-line\n` },
      {
        path: 'app/d.sh',
        data: `# gitleaks:allow # nosec # pragma: allowlist secret\nexport T=ghp_${random(36)}\n`,
      },
    ]);
    assert.deepEqual(secretsOf(report).toSorted(), [
      'github-token /app/c.sh',
      'github-token /app/d.sh',
      'private-key /app/a.pem',
      'private-key /app/b.pem',
    ]);
  });

  it('are found in a lower layer although a later one deletes the file (V-43)', async () => {
    const image = await buildImage({
      layers: [
        [{ path: 'app/id_rsa', data: newPrivateKey() }],
        [{ path: 'app/other', data: 'x' }],
        [{ path: 'app/.wh.id_rsa' }],
      ],
    });
    const report = await scan(inspector, image);
    assert.deepEqual(secretsOf(report), ['private-key /app/id_rsa']);
    assert.equal(report.findings[0]?.blob, image.layers[0]?.digest);
  });

  it('are found across the border of two pieces of a large file', async () => {
    const token = `ghp_${random(36)}`;
    for (const before of [
      64 * 1024 - 20,
      48 * 1024 - 4,
      48 * 1024,
      1024 * 1024 - 20,
      1024 * 1024 - 40,
      1024 * 1024,
      3 * 1024 * 1024 - 1,
    ]) {
      const data = `${' '.repeat(before)}${token} ${' '.repeat(200_000)}`;
      const report = await scanFiles(inspector, [{ path: 'var/big.log', data }]);
      assert.deepEqual(secretsOf(report), ['github-token /var/big.log'], `at ${before}`);
    }
  });

  it('are found in UTF-16 and behind characters that are not ASCII', async () => {
    const token = `ghp_${random(36)}`;
    const report = await scanFiles(inspector, [
      { path: 'app/wide.ps1', data: Buffer.from(`\ufeff$token = "${token}"`, 'utf16le') },
      { path: 'app/latin.txt', data: Buffer.from(`Schl\u00fcssel:\u00aa${token}`) },
    ]);
    assert.deepEqual(secretsOf(report), ['github-token /app/latin.txt', 'github-token /app/wide.ps1']);
  });

  it('are found in programs when their shape is unmistakable', async () => {
    const token = `ghp_${random(36)}`;
    const report = await scanFiles(inspector, [{ path: 'app/server', data: `\x7fELF\0\0${token}\0` }]);
    assert.deepEqual(secretsOf(report), ['github-token /app/server']);
  });

  it('are found in layers that are compressed with zstd or not at all', async () => {
    for (const compression of ['zstd', 'none'] as const) {
      const layers = [[{ path: 'app/k', data: newPrivateKey() }]];
      const report = await scan(inspector, await buildImage({ layers, compression }));
      assert.deepEqual(secretsOf(report), ['private-key /app/k'], compression);
    }
  });

  it('are not seen in samples, placeholders, references, or keys that do not work', async () => {
    const cutKey = newPrivateKey().replace(/\n.{20}/, '\n');
    const report = await scanFiles(inspector, [
      { path: 'app/a', data: 'aws_access_key_id = AKIAIOSFODNN7EXAMPLE\n' },
      { path: 'app/b', data: 'aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n' },
      { path: 'app/c.pem', data: cutKey },
      {
        path: 'app/d.pem',
        data: `-----BEGIN PRIVATE KEY-----\n${'A'.repeat(200)}\n-----END PRIVATE KEY-----\n`,
      },
      { path: 'app/e', data: `ghp_${'x'.repeat(36)} ghp_${'0123456789abcdef'.repeat(3).slice(0, 36)}` },
      {
        path: 'app/.env',
        data: 'DB_PASSWORD=$DB_PASSWORD_OF_PROD1\nA_PASSWORD=changeme\nTOKEN=<your-token>\n',
      },
      {
        path: 'app/f.conf',
        data: 'url = https://user:password@example.com/\nu=http://a:Xy12pq9vB@localhost\n',
      },
      { path: 'root/.docker/config.json', data: '{"auths":{"r":{"auth":""}},"credsStore":"pass"}' },
      { path: 'app/g.crt', data: newPrivateKey().replaceAll('PRIVATE KEY', 'CERTIFICATE') },
    ]);
    assert.deepEqual(secretsOf(report), []);
  });

  it('are negligible where packages keep the keys of their tests, and only there', async () => {
    const key = newPrivateKey();
    const report = await scanFiles(inspector, [
      { path: 'usr/lib/python3.11/test/keycert.pem', data: key },
      { path: 'usr/share/go-1.19/src/crypto/tls/tls_test.go', data: key },
      { path: 'usr/lib/x86_64-linux-gnu/libgnutls.so.30', data: `\x7fELF\0${key}\0` },
      { path: 'usr/lib/python3.11/test/token.txt', data: `ghp_${random(36)}` },
      { path: 'app/test/key.pem', data: key },
      { path: 'usr/lib/python3.11/key.pem', data: key },
    ]);
    assert.deepEqual(secretsOf(report), [
      'github-token /usr/lib/python3.11/test/token.txt',
      'private-key /app/test/key.pem',
      'private-key /usr/lib/python3.11/key.pem',
    ]);
    const test = report.findings.filter(({ id }) => id === 'test-key-in-package');
    assert.equal(test.length, 3);
    assert.ok(test.every(({ kind, severity }) => kind === 'misconfiguration' && severity === 'negligible'));
  });

  it('are found in the blobs of an artifact, and inside those that are archives', async () => {
    const token = `ghp_${random(36)}`;
    const artifact = buildArtifact({
      artifactType: 'application/vnd.corp.notes',
      blobs: [
        { bytes: Buffer.from(`token: ${token}`), mediaType: 'text/plain' },
        {
          bytes: await buildTar([{ path: 'chart/values.txt', data: token }]),
          mediaType: 'application/x-tar',
        },
      ],
      annotations: { note: `gitlab glpat-${random(20)}` },
    });
    const report = await scan(inspector, artifact);
    assert.equal(report.scan.status, 'done');
    assert.deepEqual(report.findings.map(toLine).toSorted(), [
      'github-token /chart/values.txt',
      `github-token ${artifact.layers[0]?.digest}`,
      'gitlab-token manifest',
    ]);
  });
});
