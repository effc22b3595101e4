import { createSingleFlight, SECOND_MS } from '../base/index.ts';
import type { Digest, Repository, Tag } from '../oci/index.ts';
import {
  immutableBy,
  judgePush as judgeShapeOfPush,
  onlyWarns,
  type PushOpinion,
  type Shape,
  type Verdict,
} from '../policy/index.ts';
import { createFinder, type FinderParts, type Found } from './find-verdict.ts';
import { createHolds } from './holds.ts';
import type { ScanRequests } from './ports.ts';

export interface VerdictsOptions {
  /** Verdicts kept in the memory of this process. */
  readonly entriesMax?: number;
  /** Requests held for a scan at once, in this process and for one principal. */
  readonly heldMax?: number;
  readonly heldPerPrincipalMax?: number;
}

export interface VerdictsParts extends FinderParts {
  readonly scans: Omit<ScanRequests, 'status'>;
}

/** How long a caller may wait, and on whose account. */
export interface Hold {
  /** Milliseconds; the policy's own `hold` is respected as well. 0: do not wait. */
  readonly waitMsMax: number;
  readonly principalId: string;
  /** Ends the waiting when the client has gone. */
  readonly signal?: AbortSignal;
}

export interface HeldVerdict {
  readonly verdict: Verdict;
  /** For Retry-After: the scan's estimated rest, 2 to 15 s; 0 unless the outcome is `unscanned`. */
  readonly restMs: number;
}

export type BlobAdmission =
  /** `manifest`: the admitted one that names the blob. */
  | { readonly isAdmitted: true; readonly manifest: Digest }
  /** `verdict`: of a manifest that names it and is refused; absent: no manifest of the repository names it. */
  | { readonly isAdmitted: false; readonly verdict?: Verdict };

/** Every question about what may be served. All answers are about this moment; a caller keeps none. */
export interface Verdicts {
  /**
   * The verdict on one manifest, waited for while its scan runs.
   *
   * @returns the outcome `unscanned` when the scan has not ended in time or there is no place to wait.
   * @throws {Fault} facts or scan queue cannot be reached (503 UNAVAILABLE); the caller serves nothing.
   */
  verdictFor(repository: Repository, digest: Digest, hold: Hold): Promise<HeldVerdict>;
  /** The verdict as far as it is known now; asks for no scan. */
  peek(repository: Repository, digest: Digest): Promise<Verdict>;
  /** Whether an admitted image or artifact of this repository names the blob as its config or a layer. */
  admitsBlob(repository: Repository, blob: Digest): Promise<BlobAdmission>;
  /**
   * Whether a blob that was uploaded to the repository and that no manifest names yet is served. Nothing can judge
   * it, so only where every policy that covers the repository merely warns.
   */
  admitsPending(repository: Repository): Promise<boolean>;
  /** What policies say against a manifest that is about to be pushed. */
  judgePush(push: Push): Promise<JudgedPush>;
  close(): void;
}

export interface JudgedPush extends PushOpinion {
  /** Those of the tags that never change once they exist. */
  readonly immutable: readonly Tag[];
}

/** A manifest that is about to be pushed. */
export interface Push {
  readonly repository: Repository;
  readonly shape: Shape;
  readonly tags: readonly Tag[];
  /** Those of the tags that name another digest now. */
  readonly overwrites: readonly Tag[];
}

const ENTRIES_MAX = 10_000;
const HELD_MAX = 200;
const HELD_PER_PRINCIPAL_MAX = 10;
/** Children of an index whose scans are asked for at once: the first that is admitted is enough. */
const PENDING_MAX = 8;
/** Scans that end without making the verdict known (content gone, a scanner at fault) before giving up. */
const ROUNDS_MAX = 3;
const REST_MS_MIN = 2 * SECOND_MS;
const REST_MS_MAX = 15 * SECOND_MS;

export function createVerdicts(options: VerdictsOptions, parts: VerdictsParts): Verdicts {
  const finder = createFinder({ entriesMax: options.entriesMax ?? ENTRIES_MAX }, parts);
  const holds = createHolds({
    countMax: options.heldMax ?? HELD_MAX,
    perPrincipalMax: options.heldPerPrincipalMax ?? HELD_PER_PRINCIPAL_MAX,
  });

  const asking = createSingleFlight<void>();

  async function verdictFor(repository: Repository, digest: Digest, hold: Hold): Promise<HeldVerdict> {
    const found = await finder.ofManifest(repository, digest);
    if (found.verdict.outcome !== 'unscanned') return { verdict: found.verdict, restMs: 0 };
    const leave = holds.enter(hold.principalId);
    try {
      const waitMsMax = leave ? Math.min(hold.waitMsMax, found.verdict.holdMs) : 0;
      return await awaitScan(repository, found, { ...hold, waitMsMax });
    } finally {
      leave?.();
    }
  }

  async function awaitScan(repository: Repository, first: Found, hold: Hold): Promise<HeldVerdict> {
    const deadlineMs = parts.clock.monotonicMs() + hold.waitMsMax;
    let found = first;
    let restMs = REST_MS_MIN;
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const pending = found.pending.slice(0, PENDING_MAX);
      await Promise.all(pending.map((digest) => askForScan(repository, digest)));
      const leftMs = Math.max(0, deadlineMs - parts.clock.monotonicMs());
      const ended = await firstOf(pending, leftMs, hold.signal);
      restMs = Math.min(REST_MS_MAX, Math.max(REST_MS_MIN, ended.restMs));
      found = await finder.ofManifest(repository, first.verdict.digest);
      if (found.verdict.outcome !== 'unscanned') return { verdict: found.verdict, restMs: 0 };
      if (!ended.isDone) break;
    }
    return { verdict: found.verdict, restMs };
  }

  /** Whoever asks while the same is being asked is part of it. */
  function askForScan(repository: Repository, digest: Digest): Promise<void> {
    return asking(`${repository}@${digest}`, () => parts.scans.request(repository, digest, 'pull'));
  }

  /** Waits until one of the scans ends: for an index the first may already be enough. */
  function firstOf(
    digests: readonly Digest[],
    waitMsMax: number,
    signal: AbortSignal | undefined,
  ): ReturnType<ScanRequests['wait']> {
    const gone = new Promise<{ isDone: false; restMs: number }>((resolve) => {
      const end = (): void => resolve({ isDone: false, restMs: REST_MS_MIN });
      if (signal?.aborted) end();
      signal?.addEventListener('abort', end, { once: true });
    });
    return Promise.race([gone, ...digests.map((digest) => parts.scans.wait(digest, waitMsMax))]);
  }

  async function admitsBlob(repository: Repository, blob: Digest): Promise<BlobAdmission> {
    let refusing: Verdict | undefined;
    for (const manifest of await parts.manifests.manifestsNaming(repository, blob)) {
      const verdict = await finder.ofImage(repository, manifest);
      if (verdict.outcome === 'allow') return { isAdmitted: true, manifest };
      refusing ??= verdict;
    }
    return refusing ? { isAdmitted: false, verdict: refusing } : { isAdmitted: false };
  }

  async function judgePush(push: Push): Promise<JudgedPush> {
    const effective = await finder.effective(push.repository);
    const opinion = judgeShapeOfPush(effective, push.shape);
    const immutable = push.overwrites.flatMap((tag) => {
      const policy = immutableBy(effective, tag);
      const text = `tag ${tag} is immutable and names another image: choose a new tag`;
      return policy === undefined ? [] : [{ rule: 'immutableTags' as const, policy, text, findings: [] }];
    });
    return {
      ...opinion,
      reasons: [...immutable, ...opinion.reasons],
      immutable: push.tags.filter((tag) => immutableBy(effective, tag) !== undefined),
    };
  }

  return {
    verdictFor,
    admitsBlob,
    admitsPending: async (repository) => onlyWarns(await finder.effective(repository)),
    judgePush,
    peek: async (repository, digest) => (await finder.ofManifest(repository, digest)).verdict,
    close: finder.close,
  };
}
