import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { parseRepository } from '../../src/oci/index.ts';
import { effectivePolicies, judge, SHIPPED_POLICIES, type Verdict } from '../../src/policy/index.ts';
import type { Inspector } from '../../src/scanners/index.ts';
import type { ScanReport } from '../../src/verdicts/index.ts';
import { buildImage, buildTar, type ImageEntry } from '../support/image.ts';
import { plantSecrets } from './inspector/planted.ts';
import { NOW_MS, openInspector, scan, toLine } from './inspector/scanning.ts';

/** Packages full of test keys, sample passwords and addresses; the newest of those whose name fits is taken. */
const PACKAGES: readonly RegExp[] = [
  /^golang-1\.\d+-src$/,
  /^libpython3\.\d+-testsuite$/,
  /^libruby3\.\d+$/,
  /^libnode\d+$/,
  /^openssl$/,
  /^perl-modules-5\.\d+$/,
  /^git$/,
  /^python3-cryptography$/,
  /^python3-twisted$/,
  /^golang-golang-x-crypto-dev$/,
  /^libgnutls30(?:t64)?$/,
  /^awscli$/,
];
/** Kept between runs: the packages of one release do not change. */
const CACHE = path.join(tmpdir(), 'dockgate-test-packages');
const TREE_BYTES_MAX = 1024 * 1024 * 1024;

const run = promisify(execFile);

async function fetchPackages(): Promise<readonly string[]> {
  await mkdir(CACHE, { recursive: true });
  const { stdout } = await run('apt-cache', ['pkgnames'], { maxBuffer: 64 * 1024 * 1024 });
  const known = stdout.split('\n').toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  const names = PACKAGES.map((pattern) => known.findLast((name) => pattern.test(name)));
  const wanted = names.filter((name) => name !== undefined);
  if (wanted.length < 10)
    throw new Error(`apt knows only ${wanted.length} of the packages: run apt-get update`);
  const present = await readdir(CACHE);
  const missing = wanted.filter((name) => !present.some((file) => file.startsWith(`${name}_`)));
  if (missing.length > 0) await run('apt-get', ['download', '-q', ...missing], { cwd: CACHE });
  const files = await readdir(CACHE);
  return wanted.map((name) => {
    const file = files.findLast((one) => one.startsWith(`${name}_`));
    if (!file) throw new Error(`apt-get download left no file for ${name}`);
    return path.join(CACHE, file);
  });
}

/** The package's files as the tar archive that lies in it: what a layer is made of. */
async function readTree(file: string): Promise<Buffer> {
  const options = { maxBuffer: TREE_BYTES_MAX, encoding: 'buffer' as const };
  return (await run('dpkg-deb', ['--fsys-tarfile', file], options)).stdout;
}

function judgeShipped(report: ScanReport): Verdict {
  const repository = parseRepository('team/app');
  assert.ok(repository);
  const facts = {
    digest: report.digest,
    kind: 'image' as const,
    firstSeenAtMs: NOW_MS,
    scans: [report.scan],
    findings: report.findings,
  };
  return judge(facts, report.digest, effectivePolicies(SHIPPED_POLICIES, [], repository), NOW_MS);
}

/** Google's programs carry keys of these kinds for everybody to see; they name the program only. */
const PUBLISHED_IN_PACKAGES: ReadonlySet<string> = new Set(['gcp-api-key', 'google-oauth-client-secret']);

/** Where applications keep things among the files of packages. */
const PLACES = ['/app', '/root', '/usr/lib/python3/dist-packages/app', '/usr/share/app', '/opt/app/lib'];

describe('the file trees of ordinary Debian packages', function () {
  this.timeout(180_000);
  let inspector: Inspector;
  let files: readonly string[] = [];

  before(async function () {
    inspector = openInspector();
    try {
      files = await fetchPackages();
    } catch (error) {
      const reason = error instanceof Error ? error.message.split('\n').slice(0, 3).join(' ') : String(error);
      console.warn(`      SKIPPED: the Debian packages could not be fetched: ${reason}`);
      this.skip();
    }
  });
  after(() => inspector.close());

  it('are blocked by none of the shipped policies', async () => {
    let bytes = 0;
    const startedAt = performance.now();
    for (const file of files) {
      const tree = await readTree(file);
      bytes += tree.length;
      const report = await scan(
        inspector,
        await buildImage({ layers: [{ bytes: tree }], compression: 'none' }),
      );
      assert.equal(report.scan.status, 'done', `${path.basename(file)}: ${report.scan.reason}`);
      const secrets = report.findings.filter(({ kind }) => kind === 'secret').map(toLine);
      assert.deepEqual(secrets, [], path.basename(file));
      assert.equal(judgeShipped(report).outcome, 'allow', path.basename(file));
    }
    const rate = bytes / 1e3 / (performance.now() - startedAt);
    console.log(`      ${files.length} packages, ${Math.round(bytes / 1e6)} MB, ${Math.round(rate)} MB/s`);
  });

  it('do not hide any planted kind of secret', async () => {
    const tree = await readTree(files[1] ?? '');
    for (const place of PLACES) {
      const isPackage = place.startsWith('/usr/');
      const planted = plantSecrets().filter(({ id }) => !isPackage || !PUBLISHED_IN_PACKAGES.has(id));
      const entries: readonly ImageEntry[] = planted.map(({ path: own, data }, at) => ({
        path: `${place}/n${at}/${path.basename(own)}`,
        data,
      }));
      // A reader goes on after the first archive's end, so both make one layer.
      const bytes = Buffer.concat([tree, await buildTar(entries)]);
      const report = await scan(inspector, await buildImage({ layers: [{ bytes }], compression: 'none' }));
      const found = new Set(
        report.findings.filter(({ kind }) => kind === 'secret').map(({ location }) => location),
      );
      const missed = planted.filter((_, at) => !found.has(`${entries[at]?.path}`)).map(({ id }) => id);
      assert.deepEqual(missed, [], place);
      assert.equal(judgeShipped(report).outcome, 'block');
    }
  });
});
