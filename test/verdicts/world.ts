import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import {
  createLocalChanges,
  createManualClock,
  type LocalChanges,
  type ManualClock,
  silentLogger,
  systemRandom,
} from '../../src/base/index.ts';
import { type Digest, parseManifest, type Repository } from '../../src/oci/index.ts';
import type { Finding, Policy } from '../../src/policy/index.ts';
import { openStoreWrites, type StoreWrites } from '../../src/store/index.ts';
import {
  createScanRunner,
  createVerdicts,
  type ScanJobs,
  type Scanner,
  type ScanReport,
  type ScanRunner,
  type ScanRunnerOptions,
  type ScanRunnerParts,
  type ScanTarget,
  type Verdicts,
  type VerdictsOptions,
  type VerdictsParts,
} from '../../src/verdicts/index.ts';
import { NOW_MS, repositoryOf } from '../policy/fixtures.ts';
import type { BuiltImage, BuiltIndex } from '../support/image.ts';

export const APP = repositoryOf('team/app');

/** A real store in a directory of its own, and what stands around it. */
export interface World {
  readonly store: StoreWrites;
  readonly clock: ManualClock;
  readonly changes: LocalChanges;
  /** Content of every repository, for scans. */
  readonly content: Map<Digest, BuiltImage | BuiltIndex>;
  push(image: BuiltImage | BuiltIndex, repository?: Repository): Promise<void>;
  report(digest: Digest, report?: Partial<Pick<ScanReport, 'findings' | 'createdAtMs'>>): Promise<void>;
  /** Replaces every policy by these. */
  setPolicies(...policies: readonly Policy[]): Promise<void>;
  openVerdicts(
    parts: Pick<VerdictsParts, 'scans'> & Partial<VerdictsParts>,
    options?: VerdictsOptions,
  ): Verdicts;
  openRunner(
    scanners: readonly Scanner[],
    options?: ScanRunnerOptions,
    parts?: Partial<ScanRunnerParts>,
  ): ScanRunner;
  /** Whether a runner holds a job now. */
  isScanning(): boolean;
  close(): Promise<void>;
}

export async function openWorld(): Promise<World> {
  const directory = mkdtempSync(join(tmpdir(), 'dockgate-verdicts-'));
  const clock = createManualClock(NOW_MS);
  const changes = createLocalChanges();
  const store = await openStoreWrites(
    { directory },
    {
      clock,
      random: systemRandom,
      logger: silentLogger,
      publish: async (published) => {
        for (const change of published) changes.publish(change);
      },
    },
  );
  const content = new Map<Digest, BuiltImage | BuiltIndex>();
  const closing: (() => unknown)[] = [];
  const { jobs, held } = watchHolds(store.jobs);

  return {
    store,
    clock,
    changes,
    content,
    async push(image, repository = APP) {
      content.set(image.digest, image);
      const parsed = parseManifest(image.manifest, image.mediaType);
      if (!parsed.ok) throw new Error(parsed.problem);
      const { digest, manifest: bytes } = image;
      await store.links.linkManifest({
        repository,
        digest,
        size: bytes.length,
        manifest: parsed.manifest,
        tags: [],
        tagRights: { mayCreate: true, mayOverwrite: true },
        requireContent: false,
        nowMs: clock.nowMs(),
      });
      await store.facts.seeDigest(digest, parsed.manifest.kind, clock.nowMs());
    },
    async report(digest, { findings = [], ...more } = {}) {
      const scan = { by: 'inspector', version: '1', atMs: clock.nowMs(), status: 'done' } as const;
      await store.facts.saveReport({ digest, scan, findings, ...more });
    },
    async setPolicies(...policies) {
      for (const { name } of await store.facts.listPolicies()) await store.facts.removePolicy(name);
      for (const policy of policies) await store.facts.putPolicy(policy, 'api');
    },
    openVerdicts(parts, options = {}) {
      const verdicts = createVerdicts(options, {
        facts: store.facts,
        manifests: store.manifests,
        changes,
        clock,
        logger: silentLogger,
        hash: (text) => createHash('sha256').update(text).digest('hex'),
        ...parts,
      });
      closing.push(verdicts.close);
      return verdicts;
    },
    openRunner(scanners, options = {}, others = {}) {
      const runner = createScanRunner(
        { pollMs: 10, ...options },
        {
          jobs,
          scanners,
          targets: { openTarget: async (repository, digest) => targetOf(content, repository, digest) },
          facts: store.facts,
          clock,
          logger: silentLogger,
          ...others,
        },
      );
      closing.push(runner.close);
      return runner;
    },
    isScanning: () => held.size > 0,
    async close() {
      for (const close of closing.reverse()) await close();
      await store.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function watchHolds(jobs: ScanJobs): { readonly jobs: ScanJobs; readonly held: ReadonlySet<Digest> } {
  const held = new Set<Digest>();
  const givesBack =
    <Rest extends readonly unknown[]>(call: (digest: Digest, ...rest: Rest) => Promise<void>) =>
    async (digest: Digest, ...rest: Rest): Promise<void> => {
      await call(digest, ...rest);
      held.delete(digest);
    };
  return {
    held,
    jobs: {
      ...jobs,
      async take(nowMs, leaseMs) {
        const job = await jobs.take(nowMs, leaseMs);
        if (job) held.add(job.digest);
        return job;
      },
      finish: givesBack(jobs.finish),
      retry: givesBack(jobs.retry),
    },
  };
}

function targetOf(
  content: ReadonlyMap<Digest, BuiltImage | BuiltIndex>,
  repository: Repository,
  digest: Digest,
): ScanTarget | undefined {
  const image = content.get(digest);
  return (
    image && {
      repository,
      digest,
      mediaType: image.mediaType,
      manifest: image.manifest,
      openBlob: async () => Readable.from([]),
    }
  );
}

/** A scanner that finds these things in everything it is given. */
export function scannerThatFinds(
  findings: readonly Finding[] = [],
  name = 'inspector',
): Scanner & {
  readonly scanned: Digest[];
} {
  const scanned: Digest[] = [];
  return {
    name,
    version: '1',
    scanned,
    async scan({ digest }) {
      scanned.push(digest);
      return { digest, scan: { by: name, atMs: 0, version: '1', status: 'done' }, findings };
    },
  };
}

/** A scanner whose every scan ends as `scan` does. */
export function scannerThat(scan: Scanner['scan'], name = 'inspector'): Scanner {
  return { name, version: '1', scan };
}

/** A promise and the call that settles it. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}
