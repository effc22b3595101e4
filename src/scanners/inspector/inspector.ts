import { availableParallelism } from 'node:os';
import type { Clock, Logger } from '../../base/index.ts';
import {
  type Descriptor,
  type Digest,
  Fault,
  isImageLayerType,
  type Manifest,
  parseManifest,
  shortDigest,
} from '../../oci/index.ts';
import type { Scanner, ScanReport, ScanTarget } from '../../verdicts/index.ts';
import { FindingList } from '../finding-list.ts';
import { DEFAULT_LIMITS, type InspectionLimits } from '../layers/limits.ts';
import { readBytes } from '../layers/read-bytes.ts';
import { INSPECTOR } from './name.ts';
import type { BlobJob, BlobResult } from './protocol.ts';
import { createThreadPool, type ThreadPool } from './thread-pool.ts';

export interface InspectorOptions {
  /** Blobs inspected at the same time, over all scans. Default: half of the cores, at most 4. */
  readonly threadCount?: number;
  readonly limits?: Partial<InspectionLimits>;
}

export interface Inspector extends Scanner {
  /** Ends the threads; scans under way fail with a Fault. */
  close(): Promise<void>;
}

/** Raised whenever the same image could get other findings. */
const VERSION = '1.1.0';
const HEAP_MIB_MAX = 192;

/**
 * Builds the scanner that ships with dockgate: clear-text secrets and misconfiguration, read from the bytes of all
 * layers (what a later layer deletes is still in the image) and from the config. Starts no thread before the first
 * scan.
 */
export function createInspector(
  options: InspectorOptions,
  parts: { readonly clock: Clock; readonly logger: Logger },
): Inspector {
  const threadCount = options.threadCount ?? Math.min(4, Math.max(1, Math.floor(availableParallelism() / 2)));
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const pool = createThreadPool(
    { threadCount, heapMiBMax: HEAP_MIB_MAX, program: threadProgram() },
    { logger: parts.logger },
  );
  return {
    name: INSPECTOR,
    version: VERSION,
    scan: (target, signal) => new ImageScan(target, signal, { ...parts, limits, pool, threadCount }).run(),
    close: () => pool.close(),
  };
}

/** Beside this file, in whichever language it runs. */
function threadProgram(): URL {
  return new URL(import.meta.url.endsWith('.ts') ? './thread.ts' : './thread.js', import.meta.url);
}

interface ScanParts {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: InspectionLimits;
  readonly pool: ThreadPool;
  readonly threadCount: number;
}

class ImageScan {
  readonly #target: ScanTarget;
  readonly #signal: AbortSignal;
  readonly #parts: ScanParts;
  readonly #findings: FindingList;
  #unscannable: string | undefined;
  #hasArchive = false;

  constructor(target: ScanTarget, signal: AbortSignal, parts: ScanParts) {
    this.#target = target;
    this.#signal = signal;
    this.#parts = parts;
    this.#findings = new FindingList(parts.limits.findingsMax);
  }

  async run(): Promise<ScanReport> {
    const startedAtMs = this.#parts.clock.monotonicMs();
    const parsed = parseManifest(this.#target.manifest, this.#target.mediaType);
    if (!parsed.ok) return this.#report(startedAtMs, {}, parsed.problem);
    await this.#inspectManifest();
    const superusers = await this.#inspectLayers(parsed.manifest);
    const times = await this.#inspectConfig(parsed.manifest, superusers);
    return this.#report(startedAtMs, times, this.#unscannable);
  }

  /** Annotations are text that everybody may read, like labels. An index has nothing else to inspect. */
  async #inspectManifest(): Promise<void> {
    const bytes = this.#target.manifest;
    const result = await this.#parts.pool.run(
      this.#jobFor('file', 'manifest'),
      async () => inPieces(bytes),
      this.#signal,
    );
    this.#take(result, 'the manifest', undefined);
  }

  /** @returns names that the topmost layer with an `/etc/passwd` gives user id 0. */
  async #inspectLayers(manifest: Manifest): Promise<readonly string[]> {
    const layers = [...new Map(manifest.layers.map((layer) => [layer.digest, layer])).values()];
    const results = new Map<Digest, BlobResult>();
    const waiting = layers[Symbol.iterator]();
    const work = async (): Promise<void> => {
      for (const layer of waiting) {
        if (this.#unscannable !== undefined) return;
        const result = await this.#inspectLayer(layer, manifest.kind === 'image' ? 'part' : 'file');
        results.set(layer.digest, result);
        this.#take(result, `layer ${shortDigest(layer.digest)}`, layer.digest);
      }
    };
    await Promise.all(Array.from({ length: this.#parts.threadCount }, work));
    this.#hasArchive = [...results.values()].some((result) => result.isArchive);
    return (
      manifest.layers
        .map((layer) => results.get(layer.digest)?.superusers)
        .findLast((names) => names !== undefined) ?? []
    );
  }

  /** @param otherwise what it is when its type is of no layer. */
  async #inspectLayer(layer: Descriptor, otherwise: 'part' | 'file'): Promise<BlobResult> {
    if (layer.mediaType.endsWith('+encrypted')) return unread('it is encrypted');
    const isRootFileSystem = isImageLayerType(layer.mediaType);
    const name = layer.annotations['org.opencontainers.image.title'] ?? layer.digest;
    return this.#inspectBlob(layer, this.#jobFor(isRootFileSystem ? 'layer' : otherwise, name));
  }

  async #inspectConfig(manifest: Manifest, superusers: readonly string[]): Promise<Times> {
    const { config, kind, layers } = manifest;
    if (!config || this.#unscannable !== undefined) return {};
    const isRunnable = layers.length === 0 || this.#hasArchive;
    const job = { ...this.#jobFor(kind === 'image' ? 'config' : 'file', 'config'), superusers, isRunnable };
    const result = await this.#inspectBlob(config, job);
    this.#take(result, `config ${shortDigest(config.digest)}`, config.digest);
    const { createdAtMs, baseCreatedAtMs } = result;
    return {
      ...(createdAtMs === undefined ? {} : { createdAtMs }),
      ...(baseCreatedAtMs === undefined ? {} : { baseCreatedAtMs }),
    };
  }

  async #inspectBlob(blob: Descriptor, job: BlobJob): Promise<BlobResult> {
    const open = async (ended: AbortSignal): Promise<AsyncIterable<Uint8Array>> =>
      readBytes(await this.#target.openBlob(blob), ended);
    try {
      return await this.#parts.pool.run(job, open, this.#signal);
    } catch (error) {
      // Foreign layers lie at an address outside the registry, from which nothing is ever fetched.
      if (error instanceof Fault && error.ociCode === 'BLOB_UNKNOWN')
        return unread('it is not in the registry');
      throw error;
    }
  }

  #jobFor(role: BlobJob['role'], name: string): BlobJob {
    const { limits, clock } = this.#parts;
    return { role, name, limits, nowMs: clock.nowMs(), superusers: [], isRunnable: false };
  }

  #take(result: BlobResult, what: string, blob: Digest | undefined): void {
    for (const finding of result.findings) {
      // Whoever names the same blob has the same secret; how a config is set concerns its own image only.
      const isSetting = finding.kind === 'misconfiguration' && finding.location === 'config';
      this.#findings.add(blob && !isSetting ? { ...finding, blob } : finding);
    }
    this.#findings.addDropped(result.droppedCount);
    if (result.unscannable !== undefined) this.#unscannable ??= `${what}: ${result.unscannable}`;
  }

  #report(startedAtMs: number, times: Times, reason: string | undefined): ScanReport {
    const { clock, logger } = this.#parts;
    const findings = this.#findings.toReport(INSPECTOR);
    const status = reason === undefined ? 'done' : 'unscannable';
    logger.info('inspected a manifest', {
      digest: this.#target.digest,
      status,
      reason,
      findingCount: findings.length,
      tookMs: Math.round(clock.monotonicMs() - startedAtMs),
    });
    return {
      digest: this.#target.digest,
      scan: {
        by: INSPECTOR,
        atMs: clock.nowMs(),
        version: VERSION,
        status,
        ...(reason === undefined ? {} : { reason }),
      },
      ...times,
      findings,
    };
  }
}

type Times = Pick<ScanReport, 'createdAtMs' | 'baseCreatedAtMs'>;

function unread(unscannable: string): BlobResult {
  return { unscannable, findings: [], droppedCount: 0, isArchive: false };
}

async function* inPieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
