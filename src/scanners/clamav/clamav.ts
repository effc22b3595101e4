import type { Clock, Logger } from '../../base/index.ts';
import { type Descriptor, Fault, parseManifest, shortDigest } from '../../oci/index.ts';
import type { Finding } from '../../policy/index.ts';
import type { Scanner, ScanReport, ScanTarget } from '../../verdicts/index.ts';
import { FindingList } from '../finding-list.ts';
import { walkArchive } from '../layers/archive.ts';
import { DEFAULT_LIMITS, type InspectionLimits, Unscannable } from '../layers/limits.ts';
import { readBytes } from '../layers/read-bytes.ts';
import { type Bytes, unpack } from '../layers/unpack.ts';
import { requireHonestLimits } from './limit-check.ts';
import type { Reply } from './reply.ts';
import { type ClamdOptions, type ClamdSession, openClamdSession } from './session.ts';

const CLAMAV = 'clamav';

export interface ClamavOptions extends ClamdOptions {
  readonly limits?: Partial<InspectionLimits>;
}

/**
 * Builds the scanner that lets clamd look at every file of every layer, each by itself, deleted ones too; nested
 * archives are clamd's own work. What it has not looked at as a whole is `unscannable`, never clean.
 */
export function createClamav(
  options: ClamavOptions,
  parts: { readonly clock: Clock; readonly logger: Logger },
): Scanner {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  let version = 'unknown';
  return {
    name: CLAMAV,
    get version() {
      return version;
    },
    async currentVersion(signal) {
      const session = await openClamdSession(options, signal);
      return session.version().finally(() => session.close());
    },
    async scan(target, signal) {
      const line = new ClamdLine(options, signal);
      try {
        version = await line.begin();
        return await new ImageScan(target, signal, { ...parts, limits, line, version }).run();
      } finally {
        line.close();
      }
    },
  };
}

/** Sessions one after the other: clamd hangs up after a stream that was too long, and after a while without one. */
class ClamdLine {
  readonly #options: ClamdOptions;
  readonly #signal: AbortSignal;
  #session: ClamdSession | undefined;

  constructor(options: ClamdOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
  }

  /** @returns clamd's version. @throws {Fault} it is away, or its word is worth nothing. */
  async begin(): Promise<string> {
    const session = await this.#open();
    await requireHonestLimits(session);
    return (await this.#open()).version();
  }

  async scan(bytes: Bytes): Promise<Reply> {
    const session = await this.#open();
    const reply = await session.scan(bytes);
    // It may be about to hang up, which must not be taken for its word on the next file.
    if (reply.kind === 'limit') session.close();
    if (reply.kind !== 'cut') return reply;
    // Still there, so it was this stream that it would not have.
    await (await this.#open()).version();
    return { kind: 'limit' };
  }

  close(): void {
    this.#session?.close();
  }

  async #open(): Promise<ClamdSession> {
    if (this.#session?.isOpen()) return this.#session;
    this.#session = await openClamdSession(this.#options, this.#signal);
    return this.#session;
  }
}

interface ScanParts {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: InspectionLimits;
  readonly line: ClamdLine;
  readonly version: string;
}

class ImageScan {
  readonly #target: ScanTarget;
  readonly #signal: AbortSignal;
  readonly #parts: ScanParts;
  readonly #findings: FindingList;
  #unscannable: string | undefined;

  constructor(target: ScanTarget, signal: AbortSignal, parts: ScanParts) {
    this.#target = target;
    this.#signal = signal;
    this.#parts = parts;
    this.#findings = new FindingList(parts.limits.findingsMax);
  }

  async run(): Promise<ScanReport> {
    const parsed = parseManifest(this.#target.manifest, this.#target.mediaType);
    if (parsed.ok) {
      const { config, layers } = parsed.manifest;
      const blobs = new Map([...layers, ...(config ? [config] : [])].map((blob) => [blob.digest, blob]));
      for (const blob of blobs.values()) await this.#scanBlob(blob);
    } else this.#unscannable = parsed.problem;
    return this.#report();
  }

  async #scanBlob(blob: Descriptor): Promise<void> {
    try {
      if (blob.mediaType.endsWith('+encrypted')) throw new Unscannable('it is encrypted');
      const opened = readBytes(await this.#target.openBlob(blob), this.#signal);
      const { format, bytes } = await unpack(opened, this.#parts.limits);
      if (format !== 'tar') return await this.#scanFile(bytes, blob, blob.digest);
      await walkArchive(bytes, this.#parts.limits, async ({ path, size, content }) => {
        if (size > 0) await this.#scanFile(content, blob, path);
      });
    } catch (error) {
      this.#noteUnscannable(blob, reasonOf(error));
    }
  }

  async #scanFile(bytes: Bytes, blob: Descriptor, location: string): Promise<void> {
    const reply = await this.#parts.line.scan(bytes);
    if (reply.kind === 'found') this.#findings.add(findingOf(reply.signature, blob, location));
    if (reply.kind === 'limit') this.#noteUnscannable(blob, `${location} is beyond a limit of clamd`);
    if (reply.kind === 'failed') {
      throw new Fault('DG_CLAMD_FAILED', 'UNAVAILABLE', 'clamd could not look at a file', reply.text);
    }
  }

  #noteUnscannable(blob: Descriptor, reason: string): void {
    this.#unscannable ??= `blob ${shortDigest(blob.digest)}: ${reason}`;
  }

  #report(): ScanReport {
    const { clock, logger, version } = this.#parts;
    const { digest } = this.#target;
    const reason = this.#unscannable;
    const status = reason === undefined ? 'done' : 'unscannable';
    const findings = this.#findings.toReport(CLAMAV);
    logger.info('clamd looked at a manifest', { digest, status, reason, findingCount: findings.length });
    return {
      digest,
      scan: {
        ...{ by: CLAMAV, atMs: clock.nowMs(), version, status },
        ...(reason === undefined ? {} : { reason }),
      },
      findings,
    };
  }
}

/** Why a blob cannot be looked at. @throws what says nothing about the blob. */
function reasonOf(error: unknown): string {
  if (error instanceof Unscannable) return error.message;
  if (error instanceof Fault && error.ociCode === 'BLOB_UNKNOWN') return 'it is not in the registry';
  throw error;
}

function findingOf(signature: string, blob: Descriptor, location: string): Finding {
  return {
    kind: 'malware',
    id: signature,
    severity: 'critical',
    title: `ClamAV knows this file as ${signature}`,
    by: CLAMAV,
    location,
    blob: blob.digest,
  };
}
