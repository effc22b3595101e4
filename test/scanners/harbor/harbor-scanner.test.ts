import assert from 'node:assert/strict';
import { createManualClock, silentLogger } from '../../../src/base/index.ts';
import { Fault } from '../../../src/oci/index.ts';
import { createHarborScanner } from '../../../src/scanners/index.ts';
import type { ScanReport } from '../../../src/verdicts/index.ts';
import { type BuiltImage, buildImage } from '../../support/image.ts';
import {
  type AdapterBehaviour,
  METADATA,
  reportOn,
  startScannerAdapter,
} from '../../support/scanner-adapter.ts';
import { NOW_MS, targetOf } from '../inspector/scanning.ts';

const REPORT = 'application/vnd.security.vulnerability.report; version=1.1';

describe("a scanner behind Harbor's API", () => {
  let image: BuiltImage;
  before(async () => {
    image = await buildImage();
  });

  /** Starts an adapter, lets it scan, and stops it. */
  async function scanBy(behaviour: Partial<AdapterBehaviour> = {}, signal = new AbortController().signal) {
    const adapter = await startScannerAdapter(behaviour);
    const scanner = createHarborScanner(
      { name: 'far', url: adapter.url, authorization: 'Basic YTpi', registryUrl: 'https://reg.corp' },
      {
        clock: createManualClock(NOW_MS),
        logger: silentLogger,
        authorizationFor: async (repository, digest) => `Bearer ${repository}@${digest}`,
      },
    );
    try {
      const report = await scanner.scan(targetOf(image), signal);
      return { report, adapter, version: scanner.version };
    } finally {
      await scanner.close();
      await adapter.stop();
    }
  }

  it('is told where the image is, polled until it has its report, all by the published document', async () => {
    const { report, adapter, version } = await scanBy();
    assert.deepEqual(adapter.problems, []);
    assert.deepEqual(adapter.requests[0], {
      registry: { url: 'https://reg.corp', authorization: `Bearer team/app@${image.digest}` },
      artifact: { repository: 'team/app', digest: image.digest, mime_type: image.mediaType },
      enabled_capabilities: [{ type: 'vulnerability', produces_mime_types: [REPORT] }],
    });
    assert.ok(adapter.authorizations.every((one) => one === 'Basic YTpi'));
    assert.equal(adapter.authorizations.length, 4);
    assert.equal(version, 'Trivy 0.74.0, database of 2026-05-30T00:00:00Z');
    assert.equal(report.scan.status, 'done');
    const [found] = report.findings;
    assert.deepEqual(
      [found?.kind, found?.id, found?.severity, found?.cvss, found?.by, found?.fixedVersion],
      ['vulnerability', 'CVE-2026-500', 'high', 8.1, 'far', '1.3'],
    );
  });

  it('has found nothing when its report says so', async () => {
    const none = (body: object) => ({ status: 200, type: REPORT, body });
    for (const vulnerabilities of [[], null, undefined]) {
      const { report } = await scanBy({ report: () => none({ ...reportOn(image.digest), vulnerabilities }) });
      assert.deepEqual([report.scan.status, report.findings], ['done', []]);
    }
  });

  it('cannot scan what it does not take, or make a report that is read here', async () => {
    for (const change of [
      { consumes_mime_types: ['application/x'] },
      { produces_mime_types: ['text/plain'] },
    ]) {
      const capabilities = METADATA.capabilities.map((one) => ({ ...one, ...change }));
      const body = { ...METADATA, capabilities };
      const { report } = await scanBy({ metadata: () => ({ status: 200, body }) });
      assert.equal(report.scan.status, 'unscannable');
    }
  });

  const AWAY: Readonly<Record<string, Partial<AdapterBehaviour>>> = {
    'answered 503 to the question what it is': { metadata: () => ({ status: 503 }) },
    'answered 422 to a scan': { accept: async () => ({ status: 422, body: { error: { message: 'no' } } }) },
    'answered 307 to a scan': {
      accept: async () => ({ status: 307, headers: { location: 'http://127.0.0.1:1/' } }),
    },
    'answered 404 to the question for its report': { report: () => ({ status: 404 }) },
    'answered with something that is no JSON': {
      report: () => ({ status: 200, type: REPORT, body: '<html>' }),
    },
    'answered against its contract at vulnerabilities.0.id': {
      report: () => ({ status: 200, type: REPORT, body: { vulnerabilities: [{ severity: 'High' }] } }),
    },
    'answered with another report than it was asked for': {
      report: () => ({ status: 200, type: 'application/json', body: { vulnerabilities: [] } }),
    },
    'reported on another image': {
      report: () => ({ status: 200, type: REPORT, body: reportOn(`sha256:${'0'.repeat(64)}`) }),
    },
    'did not answer': {
      report: () => ({ status: 200, type: REPORT, body: ' '.repeat(33 * 2 ** 20) }),
    },
  };
  for (const [what, behaviour] of Object.entries(AWAY)) {
    it(`is a fault, and no word on the image, when it ${what}`, async () => {
      await assert.rejects(
        scanBy(behaviour),
        (error) => error instanceof Fault && error.message.includes(what),
      );
    });
  }

  it('has failed at the image when it says so, which is no fault', async () => {
    const failing = scanBy({ report: () => ({ status: 500, body: { error: { message: 'unsupported' } } }) });
    await assert.rejects(failing, (error) => error instanceof Error && !(error instanceof Fault));
  });

  it('is asked no longer when the scan is given up', async () => {
    const stop = new AbortController();
    const scanning: Promise<{ report: ScanReport }> = scanBy(
      {
        report: () => {
          stop.abort(new Error('given up'));
          return { status: 302, headers: { 'refresh-after': '999999' } };
        },
      },
      stop.signal,
    );
    await assert.rejects(scanning);
  });
});
