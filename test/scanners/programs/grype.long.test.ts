import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createManualClock, GiB, MINUTE_MS, silentLogger } from '../../../src/base/index.ts';
import { Fault } from '../../../src/oci/index.ts';
import { createProgramScanner, GRYPE } from '../../../src/scanners/index.ts';
import { goProgram, skipWithoutGoProgram } from '../../support/go-program.ts';
import { makeGrypeDatabase } from '../../support/grype-db.ts';
import { buildImage } from '../../support/image.ts';
import { NOW_MS, targetOf } from '../inspector/scanning.ts';

describe('Grype itself, with a database of one vulnerability', function () {
  this.timeout(10 * MINUTE_MS);
  let folder: string;
  let database: string;
  let program: string;

  before(async function () {
    skipWithoutGoProgram(this, 'grype');
    program = goProgram('grype');
    folder = mkdtempSync(join(tmpdir(), 'dockgate-grype-'));
    mkdirSync(join(folder, 'work'));
    database = await makeGrypeDatabase(program, folder);
  });
  after(() => folder && rmSync(folder, { recursive: true, force: true }));

  const scanWith = async (where: string, version: string) => {
    const options = { timeMsMax: 5 * MINUTE_MS, memoryBytesMax: 2 * GiB, imageBytesMax: GiB };
    const scanner = createProgramScanner(
      GRYPE,
      { program, database: where, workDirectory: join(folder, 'work'), ...options },
      { clock: createManualClock(NOW_MS), logger: silentLogger },
    );
    const manifest = JSON.stringify({ name: 'left-out', version, license: 'MIT' });
    const image = await buildImage({
      layers: [[{ path: 'app/node_modules/left-out/package.json', data: manifest }]],
    });
    return scanner.scan(targetOf(image), new AbortController().signal);
  };

  it('finds the vulnerable package by its CVE, with score, probability and fix', async () => {
    const { scan, findings } = await scanWith(database, '4.17.20');
    assert.equal(scan.status, 'done');
    assert.match(scan.version, /^database v6\.1\.9 of 2026-05-20/);
    const [found] = findings;
    assert.deepEqual(
      [found?.id, found?.severity, found?.package, found?.installedVersion, found?.fixedVersion],
      ['CVE-2026-77', 'high', 'left-out', '4.17.20', '4.17.21'],
    );
    assert.deepEqual([found?.cvss, found?.epss], [9.8, 0.42]);
    assert.deepEqual(readdirSync(join(folder, 'work')), [], 'nothing is left behind');
  });

  it('finds nothing in the fixed package', async () => {
    assert.deepEqual((await scanWith(database, '4.17.21')).findings, []);
  });

  it('says nothing of an image while it has no database', async () => {
    await assert.rejects(scanWith(join(folder, 'nowhere'), '4.17.20'), Fault);
  });
});
