import type { Clock, Logger } from '../base/index.ts';
import {
  type Descriptor,
  type Digest,
  Fault,
  isAttestationChild,
  parseManifest,
  shortDigest,
} from '../oci/index.ts';
import type { FactReads, FactWrites, ScanJob, Scanner, ScanTarget, ScanTargets } from './ports.ts';

export interface ScanAttemptParts {
  readonly scanners: readonly Scanner[];
  readonly targets: ScanTargets;
  readonly facts: Pick<FactReads, 'findFacts'> & Pick<FactWrites, 'seeDigest' | 'saveReport'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** How one try of one job ended. */
export type Ending =
  | { readonly kind: 'finished' }
  /** It is an index; its children are what is to be scanned. */
  | { readonly kind: 'index'; readonly children: readonly Descriptor[] }
  /** Something we need is away; that says nothing about the image. */
  | { readonly kind: 'fault'; readonly error: unknown }
  /** The content, or a scanner's way with it, is the trouble. */
  | { readonly kind: 'trouble'; readonly scanner: Scanner; readonly error: unknown }
  | { readonly kind: 'stopped' };

/** Tries after which an image that no scanner survives counts as unscannable. */
export const ATTEMPTS_MAX = 4;

/** Lets every scanner look at one manifest and saves what each of them says. */
export async function attemptScan(
  job: ScanJob,
  limits: { readonly scanMsMax: number; readonly stop: AbortSignal },
  parts: ScanAttemptParts,
): Promise<Ending> {
  try {
    const target = await parts.targets.openTarget(job.repository, job.digest);
    if (!target) return { kind: 'finished' };
    const parsed = parseManifest(target.manifest, target.mediaType);
    if (parsed.ok && parsed.manifest.kind === 'index') {
      // What hangs beside the images counts for nothing in the index, and is scanned when somebody asks for it.
      const children = parsed.manifest.manifests.filter((child) => !isAttestationChild(child));
      return { kind: 'index', children };
    }
    const kind = parsed.ok ? parsed.manifest.kind : 'artifact';
    await parts.facts.seeDigest(job.digest, kind, parts.clock.nowMs());
    const waiting = await notYetScanned(job, parts);
    let worst: Ending = { kind: 'finished' };
    for (const scanner of waiting) {
      const ending = await scanWith(scanner, job, target, limits, parts);
      if (ending.kind === 'stopped') return ending;
      // One that is away keeps the others from nothing: what they say counts at once.
      if (ending.kind === 'fault' || worst.kind === 'finished') worst = ending;
    }
    return worst;
  } catch (error) {
    return limits.stop.aborted ? { kind: 'stopped' } : { kind: 'fault', error };
  }
}

/** In an earlier try of this job some of the scanners may have succeeded. */
async function notYetScanned(job: ScanJob, parts: ScanAttemptParts): Promise<readonly Scanner[]> {
  if (job.attempts === 0) return parts.scanners;
  const scans = (await parts.facts.findFacts(job.digest))?.scans ?? [];
  const isDone = (name: string) => scans.some((scan) => scan.by === name && scan.atMs >= job.queuedAtMs);
  return parts.scanners.filter(({ name }) => !isDone(name));
}

/** Says of a digest that it cannot be read, which blocks it wherever this scanner is required. */
export function saveUnscannable(
  scanner: Scanner,
  digest: Digest,
  reason: string,
  { facts, clock, logger }: ScanAttemptParts,
): Promise<void> {
  const { name, version } = scanner;
  logger.warn('an image cannot be scanned', { digest: shortDigest(digest), scanner: name, reason });
  const scan = { by: name, version, atMs: clock.nowMs(), status: 'unscannable', reason } as const;
  return facts.saveReport({ digest, scan, findings: [] });
}

async function scanWith(
  scanner: Scanner,
  job: ScanJob,
  target: ScanTarget,
  limits: { readonly scanMsMax: number; readonly stop: AbortSignal },
  parts: ScanAttemptParts,
): Promise<Ending> {
  if (job.attempts >= ATTEMPTS_MAX) {
    // Only processes that died over it leave so many attempts: after as many faults a job leaves the queue.
    await saveUnscannable(scanner, job.digest, `its scan broke off ${job.attempts} times`, parts);
    return { kind: 'finished' };
  }
  // As old as its beginning: what became known while it ran may have been missed.
  const atMs = parts.clock.nowMs();
  const tooLong = AbortSignal.timeout(limits.scanMsMax);
  try {
    const report = await withSignal(scanner, target, AbortSignal.any([limits.stop, tooLong]));
    if (report.digest !== job.digest) throw new Error(`${scanner.name} reported on another digest`);
    // Whose report it is and of when is known here, and not believed from the report (threats V-27).
    const scan = { ...report.scan, by: scanner.name, version: scanner.version, atMs };
    await parts.facts.saveReport({ ...report, scan });
    return { kind: 'finished' };
  } catch (error) {
    if (limits.stop.aborted) return { kind: 'stopped' };
    const isFault = error instanceof Fault && !tooLong.aborted;
    return isFault ? { kind: 'fault', error } : { kind: 'trouble', scanner, error };
  }
}

/** A scanner that does not heed its signal must not hold its place for ever. */
function withSignal(scanner: Scanner, target: ScanTarget, signal: AbortSignal): ReturnType<Scanner['scan']> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    scanner.scan(target, signal).then(resolve, reject);
  });
}
