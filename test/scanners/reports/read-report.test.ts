import assert from 'node:assert/strict';
import type { Finding } from '../../../src/policy/index.ts';
import { readReport } from '../../../src/scanners/index.ts';
import type { PushedReport } from '../../../src/verdicts/index.ts';
import { digestOf } from '../../policy/fixtures.ts';
import { cycloneDxReport, grypeReport, sarifReport, spdxReport, trivyReport } from './samples.ts';

const ABOUT = { manifest: digestOf('manifest'), config: digestOf('config') };

function read(report: unknown): PushedReport {
  const result = readReport(JSON.stringify(report));
  if (!result.ok) throw new Error(result.problem);
  return result.report;
}

const problemOf = (text: string) => {
  const result = readReport(text);
  return result.ok ? 'none' : result.problem;
};

const line = ({ kind, id, severity }: Finding) => `${kind} ${id} ${severity}`;

describe('a pushed report', () => {
  for (const [format, make] of Object.entries({
    trivy: trivyReport,
    grype: grypeReport,
    sarif: sarifReport,
    cyclonedx: cycloneDxReport,
    spdx: spdxReport,
  })) {
    it(`of ${format} is known by its members, and names the image by manifest and config`, () => {
      const report = read(make(ABOUT));
      assert.equal(report.format, format);
      assert.equal(report.by, `ci-${format}`);
      assert.deepEqual(new Set(report.subjects), new Set([ABOUT.manifest, ABOUT.config]));
      assert.ok(report.findings.every(({ by }) => by === `ci-${format}`));
    });
  }

  it('of Trivy brings vulnerabilities, failed checks, secrets, packages and the end of a distribution', () => {
    const { findings, packages, tool, madeAtMs, unscannable } = read(trivyReport(ABOUT));
    assert.deepEqual(findings.map(line).toSorted(), [
      'misconfiguration DS002 high',
      'misconfiguration os-end-of-life high',
      'secret aws-access-key-id critical',
      'vulnerability CVE-2026-1234 critical',
      'vulnerability CVE-2026-2 critical',
    ]);
    const worst = findings.find(({ id }) => id === 'CVE-2026-1234');
    assert.deepEqual(
      { ...worst, location: undefined },
      {
        kind: 'vulnerability',
        id: 'CVE-2026-1234',
        severity: 'critical',
        title: 'openssl: ?[31mheap overflow',
        by: 'ci-trivy',
        location: undefined,
        package: 'openssl',
        installedVersion: '1.1.0',
        fixedVersion: '1.1.1',
        cvss: 9.8,
        publishedAtMs: Date.UTC(2026, 3, 1, 10, 15),
      },
    );
    assert.deepEqual(packages?.[1], { name: 'bash', version: '4.4', licenses: ['GPL-3.0-or-later'] });
    assert.deepEqual([tool, unscannable], ['trivy 0.74.0', undefined]);
    assert.equal(madeAtMs, Date.UTC(2026, 4, 30, 8, 0, 0, 123));
  });

  it('of Trivy without any packages was not scanned: it may not know the distribution', () => {
    for (const Results of [undefined, null, [], [{ Target: 'x', Class: 'secret' }]]) {
      assert.match(read({ ...trivyReport(ABOUT), Results }).unscannable ?? '', /found no packages/);
    }
  });

  it('of Grype brings CVE names, the newest score, EPSS, known use and the fixed version', () => {
    const [first, second] = read(grypeReport(ABOUT)).findings;
    assert.equal(first?.id, 'CVE-2026-77');
    assert.deepEqual([first.cvss, first.epss, first.isExploited], [8.7, 0.42, true]);
    assert.deepEqual(
      [first.package, first.installedVersion, first.fixedVersion],
      ['lodash', '4.17.20', '4.17.21'],
    );
    assert.deepEqual([second?.severity, second?.fixedVersion], ['negligible', undefined]);
  });

  it('of SARIF takes severity from the rule, and counts what the tool has suppressed', () => {
    assert.deepEqual(read(sarifReport(ABOUT)).findings.map(line).toSorted(), [
      'secret aws-key medium',
      'vulnerability CVE-2026-1234 critical',
      'vulnerability unheard-of critical',
    ]);
    const [run] = sarifReport(ABOUT).runs;
    const failed = { version: '2.1.0', runs: [{ ...run, invocations: [{ executionSuccessful: false }] }] };
    assert.match(read(failed).unscannable ?? '', /did not succeed/);
  });

  it('of CycloneDX and SPDX lists packages, nested ones too, with their licenses', () => {
    const cyclone = read(cycloneDxReport(ABOUT));
    assert.deepEqual(cyclone.packages, [
      { name: '@corp/lib', version: '2.0.0', licenses: ['AGPL-3.0-only'] },
      { name: 'inner', version: '1', licenses: ['MIT OR GPL-2.0'] },
    ]);
    assert.deepEqual(cyclone.findings.map(line), ['vulnerability CVE-2026-9 high']);
    assert.deepEqual(cyclone.findings[0]?.package, 'lib');
    const spdx = read(spdxReport(ABOUT));
    assert.deepEqual(spdx.packages, [{ name: 'busybox', version: '1.36.1', licenses: ['GPL-2.0-only'] }]);
    assert.equal(spdx.tool, 'syft-1.57.0');
  });

  it('names no image that stands only in what is inside it', () => {
    const other = digestOf('other');
    const sbom = spdxReport(ABOUT);
    const packages = [...sbom.packages, { SPDXID: 'x', name: 'base', versionInfo: other }];
    assert.ok(!read({ ...sbom, packages }).subjects.includes(other));
  });

  it('is refused when it is no JSON, of no known format or not of the form of its format', () => {
    assert.match(problemOf('{'), /is no JSON/);
    for (const text of ['null', '[]', '{}', '7', '{"SchemaVersion":2}'])
      assert.match(problemOf(text), /neither/);
    for (const report of [
      { ...trivyReport(ABOUT), SchemaVersion: 1 },
      { ...grypeReport(ABOUT), matches: {} },
      { ...sarifReport(ABOUT), version: '2.0.0' },
      { ...cycloneDxReport(ABOUT), components: [{ version: '1' }] },
      { ...spdxReport(ABOUT), spdxVersion: 'SPDX-3.0' },
    ]) {
      assert.match(problemOf(JSON.stringify(report)), /^the report is no \w+ report: \w+/);
    }
  });

  it('is refused when it is too large, too deep, or lists too much', () => {
    assert.match(problemOf(`{"bomFormat":"${'x'.repeat(17 * 2 ** 20)}"}`), /larger than 16 MiB/);
    assert.match(problemOf(`${'['.repeat(100_000)}`), /nested deeper/);
    assert.equal(problemOf(`{"a":"${'['.repeat(1000)}\\""}`), problemOf('{}'));
    const components = Array.from({ length: 60_000 }, (_, at) => ({
      name: `package-${at}`,
      version: '1.0'.repeat(20),
    }));
    assert.match(problemOf(JSON.stringify({ ...cycloneDxReport(ABOUT), components })), /too many packages/);
  });

  it('keeps the worst of very many findings, and says that there were more', () => {
    const [match] = grypeReport(ABOUT).matches;
    const matches = Array.from({ length: 3000 }, (_, at) => ({
      ...match,
      vulnerability: { id: `CVE-2026-${at}`, severity: at === 2999 ? 'Critical' : 'Low' },
    }));
    const { findings } = read({ ...grypeReport(ABOUT), matches });
    assert.equal(findings.length, 2001);
    assert.equal(findings[0]?.id, 'CVE-2026-2999');
    assert.equal(findings.at(-1)?.id, 'findings-truncated');
  });
});
