import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Dockgate, startDockgate } from '../support/dockgate.ts';
import { type BuiltImage, buildImage } from '../support/image.ts';
import { createPusher } from '../support/pusher.ts';
import { bundleReferrer, createSigner } from '../support/signer.ts';
import { until } from '../support/until.ts';

const PASSWORD = 'correct-horse-battery-9';
const WORKERS = 2;
const POLICY = `policies:
  - name: signed
    match: ["**"]
    rules: { scanned: { by: [inspector], within: 7d }, signatures: { by: [release] } }
`;

describe('whom an operator trusts', function () {
  this.timeout(120_000);
  const [release, next] = [createSigner(), createSigner()];
  let server: Dockgate;
  let directory: string;
  let image: BuiltImage;
  let reloads = 0;

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'dockgate-trust-'));
    writeFileSync(join(directory, 'release.pub'), release.pem);
    writeFileSync(join(directory, 'next.pub'), next.pem);
    server = await startDockgate({ directory, workers: WORKERS, config: configOf('') });
    await server.addUser('alice', PASSWORD, ['developer', '**']);
    await server.run(['policy', 'apply', '-f', '-'], POLICY);
    image = await buildImage({ config: { user: 'app' }, layers: [[{ path: 'app', data: 'x' }]] });
    const pusher = createPusher(server, `alice:${PASSWORD}`);
    await pusher.push('team/app', image);
    await pusher.push('team/app', bundleReferrer(image, release));
  });
  after(() => server?.remove());

  const configOf = (more: string, file = 'release.pub') =>
    `trust: { keys: [{ name: release, file: ${file}${more} }] }\n`;

  /** Each connection may reach another worker: all of them answer the same, or one of the answers is told. */
  async function ask(): Promise<string> {
    const answers = new Set<string>();
    for (let count = 0; count < 4 * WORKERS; count += 1) {
      const answer = await server.request(`/v2/team/app/manifests/${image.digest}`, {
        basic: `alice:${PASSWORD}`,
        headers: { connection: 'close' },
      });
      const why = /: ((?:signed by|a signature by)[^;"]*)/.exec(answer.text)?.[1];
      answers.add(answer.status === 200 ? '200' : `${answer.status} ${why}`);
    }
    return [...answers].join(' | ');
  }

  async function reload(config: string): Promise<void> {
    writeFileSync(join(directory, 'dockgate.yaml'), config);
    reloads += 1;
    process.kill(server.pid, 'SIGHUP');
    // Each worker, and the housekeeping process.
    await until(
      () => server.output().split('"trust reloaded"').length > reloads * (WORKERS + 1),
      'every process says that it trusts anew',
    );
  }

  it('V-33: is taken up without a restart, in every worker: a revoked key refuses what was served before', async () => {
    assert.equal(await ask(), '200');
    await reload(configOf(', revoked: true'));
    assert.match(await ask(), /^403 signed by release, which is revoked$/);
    await reload(configOf(''));
    assert.equal(await ask(), '200');
    await reload(configOf('', 'next.pub'));
    assert.match(await ask(), /^403 a signature by no trusted key$/);
    await reload(configOf(''));
    assert.equal(await ask(), '200');
  });

  it('stays as it was when what is read cannot be used, and the log says why', async () => {
    writeFileSync(join(directory, 'release.pub'), 'no key');
    process.kill(server.pid, 'SIGHUP');
    await until(
      () => server.output().includes('trust not reloaded, what was trusted before goes on'),
      'the log says so',
    );
    assert.equal(await ask(), '200');
  });
});
