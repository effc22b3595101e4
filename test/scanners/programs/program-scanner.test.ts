import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createManualClock, GiB, MINUTE_MS, MiB, silentLogger } from '../../../src/base/index.ts';
import { Fault } from '../../../src/oci/index.ts';
import {
  createProgramScanner,
  GRYPE,
  type ProgramScannerOptions,
  TRIVY,
} from '../../../src/scanners/index.ts';
import { type BuiltImage, buildImage } from '../../support/image.ts';
import { until } from '../../support/until.ts';
import { NOW_MS, targetOf } from '../inspector/scanning.ts';
import { grypeReport, trivyReport } from '../reports/samples.ts';

const STATUS = { schemaVersion: 'v6.1.9', built: '2026-05-20T00:00:00Z', valid: true };
const VERSION = { Version: '0.74.0', VulnerabilityDB: { UpdatedAt: '2026-05-20T00:00:00Z' } };

describe('a scanner that is a program', () => {
  let folder: string;
  let image: BuiltImage;
  before(async () => {
    image = await buildImage();
  });
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'dockgate-program-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  /** A shell script in the program's place; its `$1` is `db` or `version` when it is asked for its version. */
  function scanBy(
    script: string,
    tool = GRYPE,
    options: Partial<ProgramScannerOptions> = {},
    stop?: AbortSignal,
  ) {
    const program = join(folder, 'program');
    writeFileSync(program, `#!/bin/sh\ncase "$1" in db|version) ${versionOf(tool)};; esac\n${script}\n`, {
      mode: 0o755,
    });
    const work = mkdtempSync(join(folder, 'work-'));
    const scanner = createProgramScanner(
      tool,
      {
        ...{ program, database: '/srv/the database', workDirectory: work, timeMsMax: MINUTE_MS },
        ...{ memoryBytesMax: GiB, imageBytesMax: GiB, ...options },
      },
      { clock: createManualClock(NOW_MS), logger: silentLogger },
    );
    const scanning = scanner.scan(targetOf(image), stop ?? new AbortController().signal);
    return scanning.finally(() => assert.deepEqual(readdirSync(work), [], 'nothing is left behind'));
  }

  function versionOf(tool: typeof GRYPE): string {
    return `echo '${JSON.stringify(tool.name === 'grype' ? STATUS : VERSION)}'; exit`;
  }

  const print = (value: unknown) => {
    const path = join(folder, 'report.json');
    writeFileSync(path, JSON.stringify(value));
    return `cat '${path}'`;
  };
  const about = () => ({ manifest: image.digest, config: image.config.digest });

  it('is Grype: gets the image as a layout, and its report is read', async () => {
    const script = `case "$1" in oci-dir:*) cd "\${1#oci-dir:}" || exit 3;; *) exit 4;; esac
      test "$GRYPE_DB_CACHE_DIR" = '/srv/the database' || exit 5
      test -s oci-layout && grep -q '${image.digest}' index.json || exit 6
      for digest in ${[image, image.config, ...image.layers].map(({ digest }) => digest.slice(7)).join(' ')}; do
        test "$(sha256sum < "blobs/sha256/$digest")" = "$digest  -" || exit 7
      done
      ${print(grypeReport(about()))}`;
    const { scan, findings, sbom } = await scanBy(script);
    assert.deepEqual(
      [scan.by, scan.status, scan.version],
      ['grype', 'done', 'database v6.1.9 of 2026-05-20T00:00:00Z'],
    );
    assert.deepEqual([findings[0]?.id, findings[0]?.by, sbom], ['CVE-2026-77', 'grype', undefined]);
  });

  it('is Trivy: its report is read with the packages', async () => {
    const { scan, findings, sbom } = await scanBy(print(trivyReport(about())), TRIVY);
    assert.deepEqual([scan.by, scan.version], ['trivy', '0.74.0, database of 2026-05-20T00:00:00Z']);
    assert.ok(findings.some(({ id, by }) => id === 'CVE-2026-1234' && by === 'trivy'));
    assert.deepEqual(
      sbom?.packages.map(({ name }) => name),
      ['openssl', 'bash'],
    );
    const none = await scanBy(print({ ...trivyReport(about()), Results: [] }), TRIVY);
    assert.equal(none.scan.status, 'unscannable');
  });

  it('knows nothing of our environment, and finds no network by proxies', async () => {
    process.env.DOCKGATE_TEST_SECRET = 'secret';
    try {
      const script = `test -z "$DOCKGATE_TEST_SECRET" || exit 3
        test "$HTTPS_PROXY" = 'http://127.0.0.1:9' || exit 4
        test "$HOME" = "$PWD" || exit 5
        ${print(grypeReport(about()))}`;
      assert.equal((await scanBy(script)).scan.status, 'done');
    } finally {
      delete process.env.DOCKGATE_TEST_SECRET;
    }
  });

  it('gets no more memory than it may have', async () => {
    const script = `test "$(ulimit -d)" = 262144 || exit 3\n${print(grypeReport(about()))}`;
    assert.equal((await scanBy(script, GRYPE, { memoryBytesMax: 256 * MiB })).scan.status, 'done');
  });

  it('cannot scan an image that is too large for it', async () => {
    const { scan } = await scanBy(print(grypeReport(about())), GRYPE, { imageBytesMax: 10 });
    assert.deepEqual([scan.status, scan.reason], ['unscannable', 'larger than 10 bytes']);
  });

  it('is a fault when it is not there, may not be run, or has no database', async () => {
    for (const program of ['/nonexistent/grype', '/etc/hostname']) {
      await assert.rejects(scanBy('', GRYPE, { program }), Fault);
    }
    const bare = { ...GRYPE, readVersion: () => undefined };
    await assert.rejects(scanBy('', bare), /no usable database in \/srv\/the database/);
  });

  it('has failed at the image when it fails, says nothing, something else, or too much', async () => {
    const isTrouble = (error: unknown) => error instanceof Error && !(error instanceof Fault);
    for (const script of [
      `${print(grypeReport(about()))}; exit 1`,
      '',
      'echo no json',
      'echo {}',
      'yes 12345678901234567890',
    ]) {
      await assert.rejects(scanBy(script), isTrouble, script);
    }
  });

  it('is ended with all that it has started when its time is over, or the scan is given up', async () => {
    await assert.rejects(scanBy('sleep 600', GRYPE, { timeMsMax: 200 }), { name: 'TimeoutError' });
    const mark = join(folder, 'mark');
    const stop = new AbortController();
    const script = `sleep 600 & echo $! > '${mark}.new'; mv '${mark}.new' '${mark}'; wait`;
    const scanning = assert.rejects(scanBy(script, GRYPE, {}, stop.signal), /given up/);
    await until(() => existsSync(mark), 'the program runs');
    stop.abort(new Error('given up'));
    await scanning;
    await until(() => !isRunning(Number(readFileSync(mark, 'utf8'))), 'what it has started is over');
  });
});

/** A process that has ended and whose parent has not looked is over, too. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
