/** What the inspector's tests share: a scan target made of a built image, and secrets that look real. */
import { createHash, generateKeyPairSync } from 'node:crypto';
import { Readable } from 'node:stream';
import { createManualClock, silentLogger } from '../../../src/base/index.ts';
import { Fault, parseRepository } from '../../../src/oci/index.ts';
import type { Finding } from '../../../src/policy/index.ts';
import { createInspector, type Inspector, type InspectorOptions } from '../../../src/scanners/index.ts';
import type { ScanReport, ScanTarget } from '../../../src/verdicts/index.ts';
import { type BuiltImage, type BuiltIndex, buildImage, type ImageEntry } from '../../support/image.ts';

/** 2026-06-01, so that an image built "yesterday" by the real clock need not be. */
export const NOW_MS = Date.UTC(2026, 5, 1);

export function openInspector(options: InspectorOptions = {}): Inspector {
  return createInspector(
    { threadCount: 1, ...options },
    { clock: createManualClock(NOW_MS), logger: silentLogger },
  );
}

export function targetOf(item: BuiltImage | BuiltIndex): ScanTarget {
  const repository = parseRepository('team/app');
  if (!repository) throw new Error('team/app is a repository');
  const blobs = 'children' in item ? [] : [item.config, ...item.layers];
  return {
    repository,
    digest: item.digest,
    mediaType: item.mediaType,
    manifest: item.manifest,
    async openBlob({ digest }) {
      const blob = blobs.find((one) => one.digest === digest);
      if (!blob) throw new Fault('DG_TEST_BLOB', 'BLOB_UNKNOWN', 'no such blob');
      return Readable.from(inChunks(blob.bytes), { objectMode: false });
    },
  };
}

function* inChunks(bytes: Uint8Array, size = 64 * 1024): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield Buffer.from(bytes.subarray(at, at + size));
}

export function scan(inspector: Inspector, item: BuiltImage | BuiltIndex): Promise<ScanReport> {
  return inspector.scan(targetOf(item), new AbortController().signal);
}

/** Scans an image of one layer with these files. */
export async function scanFiles(inspector: Inspector, files: readonly ImageEntry[]): Promise<ScanReport> {
  return scan(inspector, await buildImage({ layers: [files] }));
}

export function secretsOf(report: ScanReport): readonly string[] {
  return report.findings.filter(({ kind }) => kind === 'secret').map(toLine);
}

export function toLine(finding: Finding): string {
  return `${finding.id} ${finding.location ?? ''}`;
}

export function idsOf(report: ScanReport): readonly string[] {
  return report.findings.map(({ id }) => id);
}

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/**
 * Characters as random as a real token's, but the same in each run, so that no test fails by chance.
 *
 * @param seed one for each file: what one file draws must not hang on which others ran before it.
 */
export function createRandom(seed: string): (length: number, alphabet?: string) => string {
  let drawn = 0;
  return (length, alphabet = LETTERS) => {
    let text = '';
    while (text.length < length) {
      drawn += 1;
      const bytes = createHash('sha256').update(`${seed} ${drawn}`).digest();
      text += Array.from(bytes, (byte) => alphabet.charAt(byte % alphabet.length)).join('');
    }
    return text.slice(0, length);
  };
}

export function newPrivateKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'sec1', format: 'pem' }).toString();
}
