import type { Descriptor, Digest, ManifestKind, Repository } from '../oci/index.ts';
import type {
  Facts,
  FeedName,
  FeedState,
  Finding,
  Package,
  Policy,
  Scan,
  Verdict,
  Waiver,
} from '../policy/index.ts';

/** What one run of one scanner over one manifest says. */
export interface ScanReport {
  readonly digest: Digest;
  readonly scan: Scan;
  /** The image config's `created`, as the scanner read it; absent when it cannot be true. */
  readonly createdAtMs?: number;
  /** When the oldest layer was made, as the config's history says; absent when it does not, or cannot be true. */
  readonly baseCreatedAtMs?: number;
  readonly findings: readonly Finding[];
  readonly sbom?: Sbom;
}

/** A bill of materials that came with a scan. */
export interface Sbom {
  readonly format: 'cyclonedx' | 'spdx' | 'trivy';
  readonly packages: readonly Package[];
  /** The document, in the content store; absent: only a list that came beside findings. */
  readonly document?: { readonly digest: Digest; readonly size: number };
}

/** What is known of a kept document. */
export interface SbomDocument {
  /** The scan it came with. */
  readonly by: string;
  readonly format: 'cyclonedx' | 'spdx';
  readonly atMs: number;
  readonly digest: Digest;
  readonly size: number;
}

/** What somebody's scanner says of an image, read and bounded. */
export interface PushedReport {
  readonly format: 'trivy' | 'grype' | 'sarif' | 'cyclonedx' | 'spdx';
  /** The name under which it counts: `ci-trivy`. */
  readonly by: string;
  readonly tool: string;
  /** Digests of a manifest or a config that the report says it is about. */
  readonly subjects: readonly Digest[];
  readonly madeAtMs?: number;
  readonly findings: readonly Finding[];
  readonly packages?: readonly Package[];
  /** Why its tool could not look into the image. */
  readonly unscannable?: string;
}

/** Port: reads a pushed report. Implemented by `scanners/`; never throws for what is in it. */
export type ReadReport = (
  text: string,
) => { readonly ok: true; readonly report: PushedReport } | { readonly ok: false; readonly problem: string };

/** What a policy was from some instant on. */
export interface PolicyVersion {
  readonly name: string;
  /** Counted from 1. */
  readonly version: number;
  readonly atMs: number;
  /** Who made it so: a principal's name, or `config` and `shipped`. */
  readonly author: string;
  /** Absent: removed. */
  readonly policy?: Policy;
}

/** A manifest or blob that is refused everywhere. */
export interface DeniedDigest {
  readonly digest: Digest;
  readonly reason: string;
  readonly author: string;
  readonly atMs: number;
}

/** A feed as it is kept, and what came of the last look at its source. */
export interface KeptFeed {
  readonly name: FeedName;
  /** Absent: nothing of it was ever loaded. */
  readonly content?: FeedContent;
  /** Absent: nobody has looked yet. */
  readonly tried?: { readonly atMs: number; readonly problem?: string };
}

export interface FeedContent extends FeedState {
  /** The address or path it came from. */
  readonly source: string;
  readonly entries: number;
  /** What it says of itself. */
  readonly madeAtMs: number;
  /** Of the answer that brought it, to be asked with again. */
  readonly etag?: string;
  readonly lastModified?: string;
}

export interface FeedEntries {
  readonly epss: readonly { readonly cve: string; readonly score: number; readonly percentile: number }[];
  readonly kev: readonly { readonly cve: string; readonly addedAtMs: number; readonly dueAtMs?: number }[];
}

/** Port, implemented by `store/`; used by the housekeeping process. */
export interface FeedWrites {
  /**
   * Writes a feed in pieces and puts it in force as a whole; until then, and if a piece cannot be had, the one before
   * stays in force.
   */
  replaceFeed<Name extends FeedName>(
    name: Name,
    content: Omit<FeedContent, 'entries'>,
    pieces: Iterable<FeedEntries[Name]>,
  ): Promise<void>;
  /** The source still says the same. */
  confirmFeed(name: FeedName, asOfMs: number): Promise<void>;
  noteTry(name: FeedName, atMs: number, problem?: string): Promise<void>;
}

/** Port, implemented by `store/`. */
export interface FactReads {
  /**
   * Includes findings that other manifests' scans made in blobs that this one names.
   *
   * @param repository for what differs between repositories (`supersededAtMs`); left out, it is absent.
   * @param wants `packages`: what is inside, which is long; `feeds`: what they say of the findings; else left out.
   */
  findFacts(
    digest: Digest,
    repository?: Repository,
    wants?: { readonly packages?: boolean; readonly feeds?: boolean },
  ): Promise<Facts | undefined>;
  /** Every feed there could be. */
  listFeeds(): Promise<readonly KeptFeed[]>;
  /** The bills of materials that are kept of a digest, newest first. */
  listSboms(digest: Digest): Promise<readonly SbomDocument[]>;
  /** All denied digests, in their order. */
  listDenied(): Promise<readonly DeniedDigest[]>;
  listPolicies(): Promise<readonly Policy[]>;
  /** Newest first. */
  listPolicyVersions(name: string): Promise<readonly PolicyVersion[]>;
  listWaivers(): Promise<readonly Waiver[]>;
  /** Digests by which somebody got content that has a finding, or this manifest: manifests, their indexes and blobs. */
  findExposed(bad: { readonly finding: string } | { readonly digest: Digest }): Promise<readonly Digest[]>;
  /** Digests whose newest scan by `scanner` is older than `beforeMs`, oldest first, with a repository that holds each. */
  listScannedBefore(
    scanner: string,
    beforeMs: number,
    limit: number,
  ): Promise<readonly { readonly repository: Repository; readonly digest: Digest }[]>;
  /** The same of those whose newest scan by `scanner` was made with another version; `among`: of these digests only. */
  listScannedByOther(
    scanner: string,
    version: string,
    asked: { readonly among?: readonly Digest[]; readonly limit: number },
  ): Promise<readonly { readonly repository: Repository; readonly digest: Digest }[]>;
  /** Images that some repository holds with a scan by it, and those of them that were scanned with another version. */
  countScanned(
    scanner: string,
    version: string,
  ): Promise<{ readonly scanned: number; readonly outdated: number }>;
}

/** Port, implemented by `store/`; a proxy in workers. Resolves after every live process dropped what it held. */
export interface FactWrites {
  /** Remembers a digest at first sight; keeps the first time if it is known. */
  seeDigest(digest: Digest, kind: ManifestKind, firstSeenAtMs: number): Promise<void>;
  /** Replaces what this scanner said of this digest before. */
  saveReport(report: ScanReport): Promise<void>;
  /**
   * @param owner `config` for policies of the configuration file, which the API may not change
   * @param author kept with the version; the owner unless told
   */
  putPolicy(policy: Policy, owner: 'api' | 'config' | 'shipped', author?: string): Promise<void>;
  removePolicy(name: string, author?: string): Promise<boolean>;
  /** Refuses a digest everywhere from now on; what was said of it before is replaced. */
  denyDigest(denied: DeniedDigest): Promise<void>;
  /** @returns whether it was denied. */
  undenyDigest(digest: Digest): Promise<boolean>;
  addWaiver(waiver: Waiver): Promise<void>;
  /** Notes who approved it. @returns whether there is such a waiver. */
  approveWaiver(id: string, approvedBy: string): Promise<boolean>;
  removeWaiver(id: string): Promise<boolean>;
}

/** Port, implemented by `store/`: which manifests there are and what they name. */
export interface ManifestReads {
  findManifestShape(
    repository: Repository,
    digest: Digest,
  ): Promise<{ readonly kind: ManifestKind; readonly children: readonly Descriptor[] } | undefined>;
  /** Manifests of this repository that name the blob as config or layer. */
  manifestsNaming(repository: Repository, blob: Digest): Promise<readonly Digest[]>;
}

/** Port: who vouches for a digest, by signatures that this repository holds. Implemented by `trust/`. */
export interface Vouchers {
  /** @throws {Fault} what the repository holds cannot be had now. */
  findVouched(
    repository: Repository,
    digest: Digest,
  ): Promise<Required<Pick<Facts, 'attested' | 'rejected'>>>;
  /**
   * Somebody else is trusted from now on: what was answered before the call may no longer be true.
   * @returns the call that ends the subscription.
   */
  onTrustChange(handler: () => void): () => void;
}

/** Port: the shared memory in front of SQL (Redis). Never trusted: an entry that does not verify is a miss. */
export interface VerdictMemory {
  find(digest: Digest, policyHash: string): Promise<Verdict | undefined>;
  /** Never throws; a verdict that could not be kept is only slower. */
  keep(digest: Digest, policyHash: string, verdict: Verdict): Promise<void>;
  /** Something about the digest changed: what was kept of it before this call is no longer believed. Never throws. */
  drop(digest: Digest): Promise<void>;
  /** A change may have been missed: nothing that was kept before this call is believed any more. */
  distrust(): void;
}

export type ScanPriority = 'pull' | 'push' | 'rescan';

/** Port: asks for scans; the queue lives in the housekeeping process. */
export interface ScanRequests {
  /** Whether a scanner of this name runs here at all. */
  isOffered(scanner: string): boolean;
  /** Queues a scan unless one is queued or running; a higher priority replaces a lower one. */
  request(repository: Repository, digest: Digest, priority: ScanPriority): Promise<void>;
  /**
   * Resolves when a scan of the digest ends, or after `waitMsMax` milliseconds.
   * @returns the estimated rest in milliseconds when it has not ended.
   */
  wait(digest: Digest, waitMsMax: number): Promise<{ readonly isDone: boolean; readonly restMs: number }>;
  status(): Promise<ScanStatus>;
}

/** How far the scanners are. */
export interface ScanStatus {
  /** Scans that wait or run. */
  readonly queued: number;
  readonly running: readonly {
    readonly repository: Repository;
    readonly digest: Digest;
    readonly forMs: number;
  }[];
  readonly scanners: readonly {
    readonly name: string;
    /** What it scans with now; absent while nobody knows. */
    readonly version?: string;
    /** Why that could not be asked. */
    readonly problem?: string;
    /** Images with a scan by it. */
    readonly scanned: number;
    /** Those of them that it scanned with another version or database. */
    readonly outdated: number;
  }[];
}

/** One scan to be done; there is at most one for a digest. */
export interface ScanJob {
  readonly repository: Repository;
  readonly digest: Digest;
  readonly priority: ScanPriority;
  /** Tries that ended in a fault. */
  readonly attempts: number;
  readonly queuedAtMs: number;
}

/** Port, implemented by `store/`: the durable queue behind ScanRequests. Used by the housekeeping process only. */
export interface ScanJobs {
  /** Queues or raises the priority; nothing when it is already as urgent. */
  put(job: Omit<ScanJob, 'attempts' | 'queuedAtMs'>, nowMs: number): Promise<void>;
  /** Takes the most urgent, oldest job whose time has come and that nobody holds; it is held until `leaseMs` later. */
  take(nowMs: number, leaseMs: number): Promise<ScanJob | undefined>;
  /** Holds a taken job until then; 0 gives it back without counting an attempt. */
  hold(digest: Digest, untilMs: number): Promise<void>;
  finish(digest: Digest): Promise<void>;
  /** Gives the job back, to be taken no earlier than `notBeforeMs`, with one more attempt counted. */
  retry(digest: Digest, notBeforeMs: number): Promise<void>;
  count(): Promise<number>;
  /** Those of them that wait, or that somebody holds. */
  among(digests: readonly Digest[]): Promise<readonly Digest[]>;
}

/** Port: gives the scan runner what is to be scanned. Implemented where content and registries meet. */
export interface ScanTargets {
  /**
   * @returns `undefined` when the repository no longer holds the manifest.
   * @throws {Fault} the content cannot be reached now; the scan is tried again later.
   */
  openTarget(repository: Repository, digest: Digest): Promise<ScanTarget | undefined>;
}

/** Port: one scanner. It reads content through what it is given and reaches nothing else. */
export interface Scanner {
  readonly name: string;
  readonly version: string;
  /**
   * What it would scan with now, its database's version included, asked without an image; absent: `version`.
   *
   * @throws {Fault} it is away.
   */
  currentVersion?(signal: AbortSignal): Promise<string>;
  /**
   * Scans one manifest. Never throws for hostile content: that is `status: 'unscannable'`.
   * @throws {Fault} content or scanner could not be reached; the scan is tried again later.
   */
  scan(target: ScanTarget, signal: AbortSignal): Promise<ScanReport>;
}

export interface ScanTarget {
  readonly repository: Repository;
  readonly digest: Digest;
  readonly mediaType: string;
  readonly manifest: Uint8Array;
  /** Streams one blob of the manifest; the bytes are verified against the digest by the time the stream ends. */
  openBlob(descriptor: Descriptor): Promise<NodeJS.ReadableStream>;
}
