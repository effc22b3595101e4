import { type Changes, type Clock, type Logger, MINUTE_MS } from '../base/index.ts';
import { type Digest, isAttestationChild, parseDigest, type Repository } from '../oci/index.ts';
import {
  blockWithoutScanner,
  type Effective,
  judge,
  judgeIndex,
  missingScanners,
  type Verdict,
} from '../policy/index.ts';
import { createLiveCache, type Loaded } from './live-cache.ts';
import type { FactReads, ManifestReads, ScanRequests, VerdictMemory, Vouchers } from './ports.ts';
import { createRules, type RulesInForce } from './rules-in-force.ts';

export interface FinderParts {
  readonly facts: Pick<FactReads, 'findFacts' | 'listFeeds' | 'listPolicies' | 'listWaivers'>;
  readonly manifests: ManifestReads;
  /** Shared with other processes and replicas; absent: this process remembers alone. */
  readonly memory?: VerdictMemory;
  readonly scans: Pick<ScanRequests, 'isOffered' | 'request'>;
  /** Absent: nobody vouches for anything, and rules that ask for it refuse. */
  readonly vouchers?: Vouchers;
  /** Where a repository comes from; absent: nobody knows, and rules about it refuse. */
  readonly registryOf?: (repository: Repository) => string | undefined;
  readonly changes: Changes;
  readonly clock: Clock;
  readonly logger: Logger;
  /** A collision-free hash of a text, such as SHA-256 in hex. */
  readonly hash: (text: string) => string;
}

/** A verdict as of now, and the digests whose scan it waits for when it is `unscanned`. */
export interface Found {
  readonly verdict: Verdict;
  readonly pending: readonly Digest[];
}

/** Finds verdicts without waiting for scans. */
export interface Finder {
  ofManifest(repository: Repository, digest: Digest): Promise<Found>;
  /** For a digest that is known to be no index. */
  ofImage(repository: Repository, digest: Digest): Promise<Verdict>;
  /** The policies and waivers of the repository. */
  effective(repository: Repository): Promise<Effective>;
  close(): void;
}

type Shape = NonNullable<Awaited<ReturnType<ManifestReads['findManifestShape']>>>;

interface Place {
  readonly repository: Repository;
  readonly digest: Digest;
}

/** An index in an index in an index: deeper ones count as absent (threats V-07). */
const DEPTH_MAX = 4;
/** Manifests looked at for one index, each once however often it is named; more count as absent (threats V-07). */
const MANIFESTS_MAX = 2000;
/** A signature that is made at a registry behind us tells nobody: what lacked one is looked at again after so long. */
const UNVOUCHED_MS_MAX = MINUTE_MS;
/** Facts that others wrote, where word of them went astray, are looked for again after so long. */
const UNSCANNED_MS_MAX = 500;
/** After so many the other requests of the process have their turn. */
const MANIFESTS_IN_TURN = 32;

/** What is known already of the manifests below one index, by depth and digest. */
type Walk = Map<string, Found | undefined>;

export function createFinder({ entriesMax }: { readonly entriesMax: number }, parts: FinderParts): Finder {
  const rules = createRules(parts);
  const verdicts = createLiveCache<Verdict>({ entriesMax }, parts);
  // Those that hang on what else their repository holds: dropped by repository, and in no shared memory.
  const vouched = createLiveCache<Verdict>({ entriesMax }, parts);
  // What a manifest is and which children are here, too: cleared whole, since an index hangs on many digests.
  const manifests = createLiveCache<Found>({ entriesMax }, parts);

  /** Memory of this process, then the shared one, then the facts themselves. */
  async function ofImage(repository: Repository, digest: Digest): Promise<Verdict> {
    const inForce = await rules.inForce(repository);
    if (inForce.effective.wantsVouchers) {
      return vouched.get(`${repository}@${digest} ${inForce.policyHash}`, () =>
        judgeNow(repository, digest, inForce),
      );
    }
    return verdicts.get(`${digest} ${inForce.policyHash}`, () => load(repository, digest, inForce));
  }

  async function load(
    repository: Repository,
    digest: Digest,
    inForce: RulesInForce,
  ): Promise<Loaded<Verdict>> {
    const { policyHash } = inForce;
    const remembered = await parts.memory?.find(digest, policyHash);
    if (remembered && isUsable(remembered, digest)) {
      return { value: remembered, validUntilMs: remembered.validUntilMs };
    }
    const judged = await judgeNow(repository, digest, inForce);
    if (judged.isShared) void parts.memory?.keep(digest, policyHash, judged.value);
    return judged;
  }

  /** `isShared`: another process and another repository would come to the same. */
  async function judgeNow(
    repository: Repository,
    digest: Digest,
    { effective }: RulesInForce,
  ): Promise<Loaded<Verdict> & { readonly isShared?: true }> {
    const facts = await findFacts(repository, digest, effective);
    const nowMs = parts.clock.nowMs();
    const verdict = askedAgain(judge(facts, digest, effective, nowMs), effective);
    const missing = missingScanners(facts, digest, effective, nowMs);
    if (verdict.outcome === 'unscanned') {
      const absent = missing.find(
        ({ scanner, policy }) => policy.mode !== 'warn' && !parts.scans.isOffered(scanner),
      );
      // Not for the shared memory: which scanners run is a matter of this node.
      return absent
        ? { value: blockWithoutScanner(verdict, absent.scanner, absent.policy) }
        : // The scan's end drops it at once; ten thousand who ask meanwhile read it once.
          { value: verdict, validUntilMs: nowMs + UNSCANNED_MS_MAX };
    }
    if (missing.some(({ scanner }) => parts.scans.isOffered(scanner))) askForScan(repository, digest);
    return { value: verdict, validUntilMs: verdict.validUntilMs, isShared: true };
  }

  async function findFacts(
    repository: Repository,
    digest: Digest,
    { only, wantsPackages, wantsVouchers, feeds }: Effective,
  ): ReturnType<FactReads['findFacts']> {
    const wants = { packages: wantsPackages === true, feeds: feeds !== undefined };
    const facts = await parts.facts.findFacts(digest, only, wants);
    if (!facts || !wantsVouchers || !parts.vouchers) return facts;
    return { ...facts, ...(await parts.vouchers.findVouched(repository, digest)) };
  }

  function askedAgain(verdict: Verdict, { wantsVouchers }: Effective): Verdict {
    if (!wantsVouchers || verdict.outcome === 'allow') return verdict;
    const untilMs = parts.clock.nowMs() + UNVOUCHED_MS_MAX;
    return { ...verdict, validUntilMs: Math.min(verdict.validUntilMs, untilMs) };
  }

  /** For policies that only warn: nobody waits, but the warning should become knowledge. */
  function askForScan(repository: Repository, digest: Digest): void {
    parts.scans.request(repository, digest, 'push').catch((error: unknown) => {
      // Nothing depends on it: whoever reads the facts next asks again.
      parts.logger.warn('a scan could not be asked for', { digest, reason: String(error) });
    });
  }

  function isUsable(remembered: Verdict, digest: Digest): boolean {
    return (
      remembered.digest === digest &&
      remembered.outcome !== 'unscanned' &&
      parts.clock.nowMs() < remembered.validUntilMs
    );
  }

  async function ofShape(
    at: Place,
    shape: Shape | undefined,
    depth: number,
    walk: Walk = new Map(),
  ): Promise<Found> {
    if (shape?.kind === 'index') return ofIndex(at, shape, depth, walk);
    const verdict = await ofImage(at.repository, at.digest);
    return { verdict, pending: verdict.outcome === 'unscanned' ? [at.digest] : [] };
  }

  /** Children are looked at in their order until one is admitted; those that are not here count for nothing. */
  async function ofIndex(
    { repository, digest }: Place,
    shape: Shape,
    depth: number,
    walk: Walk,
  ): Promise<Found> {
    const seen: Found[] = [];
    for (const child of depth < DEPTH_MAX ? childrenOf(shape) : []) {
      const found = await ofChild({ repository, digest: child }, depth + 1, walk);
      if (!found) continue;
      seen.push(found);
      if (found.verdict.outcome === 'allow') break;
    }
    const { effective } = await rules.inForce(repository);
    const facts = await findFacts(repository, digest, effective);
    const verdict = judgeIndex(
      digest,
      seen.map((found) => found.verdict),
      effective,
      { facts, nowMs: parts.clock.nowMs() },
    );
    const pending = verdict.outcome === 'unscanned' ? seen.flatMap((found) => found.pending) : [];
    return { verdict: askedAgain(verdict, effective), pending: [...new Set(pending)] };
  }

  async function ofChild(at: Place, depth: number, walk: Walk): Promise<Found | undefined> {
    const place = `${depth} ${at.digest}`;
    if (walk.has(place) || walk.size >= MANIFESTS_MAX) return walk.get(place);
    // Taken before it is known: what is named again below itself cannot be, and would never end.
    walk.set(place, undefined);
    if (walk.size % MANIFESTS_IN_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
    const shape = await parts.manifests.findManifestShape(at.repository, at.digest);
    const found = shape && (await ofShape(at, shape, depth, walk));
    walk.set(place, found);
    return found;
  }

  const stopChanges = parts.changes.onChange(({ topic, key }) => {
    if (topic === 'policies') rules.clear();
    if (topic === 'policies' || topic === 'facts' || topic === 'links') manifests.clear();
    if (topic === 'links') forgetVouched(key);
    if (topic !== 'facts') return;
    vouched.clear();
    if (key === undefined) return forget();
    verdicts.drop(key);
    dropRemembered(key);
  });
  const stopTrust = parts.vouchers?.onTrustChange(() => {
    vouched.clear();
    manifests.clear();
  });
  const stopLost = parts.changes.onLost(() => {
    rules.clear();
    manifests.clear();
    forget();
  });

  /** What a repository gained or lost may be a signature, or an index that is signed. */
  function forgetVouched(repository: string | undefined): void {
    if (repository === undefined) vouched.clear();
    else vouched.drop(`${repository}@`);
  }

  function forget(): void {
    verdicts.clear();
    vouched.clear();
    parts.memory?.distrust();
  }

  function dropRemembered(key: string): void {
    const digest = parseDigest(key);
    if (digest) void parts.memory?.drop(digest);
    else parts.memory?.distrust();
  }

  async function loadManifest(at: Place): Promise<Loaded<Found>> {
    const found = await ofShape(at, await parts.manifests.findManifestShape(at.repository, at.digest), 0);
    const isKept = found.verdict.outcome !== 'unscanned';
    return { value: found, validUntilMs: found.verdict.validUntilMs, isKept };
  }

  return {
    ofImage,
    effective: async (repository) => (await rules.inForce(repository)).effective,
    ofManifest: (repository, digest) =>
      manifests.get(`${repository}@${digest}`, () => loadManifest({ repository, digest })),
    close() {
      stopChanges();
      stopTrust?.();
      stopLost();
    },
  };
}

/** Attestations that hang beside the images are no images: they are judged when they are asked for. */
function childrenOf(shape: Shape): ReadonlySet<Digest> {
  return new Set(shape.children.filter((child) => !isAttestationChild(child)).map((child) => child.digest));
}
