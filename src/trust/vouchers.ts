import { LRUCache } from 'lru-cache';
import { type Clock, MiB } from '../base/index.ts';
import type { Digest, Repository } from '../oci/index.ts';
import { judgeBundle, judgePlainEnvelope } from './bundle.ts';
import { judgeNotation } from './notation/index.ts';
import type { SignatureContent, SignatureLayer } from './ports.ts';
import { judgeSimpleSigning } from './simple-signing.ts';
import type { Outcome, Trust, Vouched } from './types.ts';

/** Who vouches for images. */
export interface Vouchers {
  /**
   * All signatures in this repository on the digest, or on an index of the repository that lists it, verified.
   *
   * @throws {Fault} the registry or the store is away: nothing is known, so nothing may be served.
   */
  findVouched(repository: Repository, digest: Digest): Promise<Vouched>;
  /** From the next question on, who is trusted decides anew about every signature. */
  replaceTrust(trust: Trust): void;
  /**
   * What was answered before the call may no longer be true.
   * @returns the call that ends the subscription.
   */
  onTrustChange(handler: () => void): () => void;
}

const SIMPLE_SIGNING = 'application/vnd.dev.cosign.simplesigning.v1+json';
const SIGNATURE_ANNOTATION = 'dev.cosignproject.cosign/signature';
const ENVELOPE = 'application/vnd.dsse.envelope.v1+json';
const BUNDLE = /^application\/vnd\.dev\.sigstore\.bundle(?:\.v0\.3)?\+json(?:;|$)/;

const NOTATION = 'application/jose+json';
const NOTATION_COSE = 'application/cose';

const LAYERS_MAX = 50;
/** Of one layer; an attestation carries a whole SBOM. */
const LAYER_BYTES_MAX = 8 * MiB;
/** The digest itself, indexes that list it, and indexes that list those: as deep as verdicts look. */
const SUBJECTS_MAX = 50;
const OUTCOMES_MAX = 10_000;

const MISSING: Outcome = { ok: false, why: 'a signature whose content is missing', isForNow: true };

export function createVouchers(parts: {
  readonly trust: Trust;
  readonly content: SignatureContent;
  readonly clock: Clock;
}): Vouchers {
  const { content, clock } = parts;
  const handlers = new Set<() => void>();
  let current = judgingBy(parts.trust);

  async function subjectsOf(repository: Repository, digest: Digest): Promise<readonly Digest[]> {
    const subjects = new Set([digest]);
    // A set is walked in the order of insertion, also over what is added on the way.
    for (const subject of subjects) {
      for (const index of await content.listIndexes(repository, subject)) {
        if (subjects.size < SUBJECTS_MAX) subjects.add(index);
      }
    }
    return [...subjects];
  }

  async function judgeManifest(repository: Repository, manifest: Digest, subject: Digest) {
    // Taken before anything is awaited: what was judged by the trust of before is kept with it, and goes with it.
    const { trust, known } = current;
    const key = `${manifest} ${subject}`;
    const before = known.get(key);
    if (before) return before;
    const layers = await content.openLayers(repository, manifest);
    if (!layers) return [];
    const outcomes: Outcome[] = [];
    let isWhole = true;
    for (const layer of layers.slice(0, LAYERS_MAX)) {
      const outcome = (await judgeLayer(layer, subject, trust, clock.nowMs())) ?? MISSING;
      outcomes.push(outcome);
      isWhole &&= outcome.ok || !outcome.isForNow;
    }
    if (isWhole) known.set(key, outcomes);
    return outcomes;
  }

  return {
    replaceTrust(trust) {
      current = judgingBy(trust);
      for (const handler of handlers) handler();
    },
    onTrustChange(handler) {
      handlers.add(handler);
      return () => handlers.delete(handler);
    },
    async findVouched(repository, digest) {
      const outcomes: Outcome[] = [];
      for (const subject of await subjectsOf(repository, digest)) {
        for (const manifest of await content.listSignatures(repository, subject)) {
          outcomes.push(...(await judgeManifest(repository, manifest, subject)));
        }
      }
      return {
        attested: outcomes.flatMap((outcome) => (outcome.ok ? outcome.attested : [])),
        rejected: [...new Set(outcomes.flatMap((outcome) => (outcome.ok ? [] : [outcome.why])))],
      };
    },
  };
}

/** Both are named by digest: what came out once by this trust comes out always. */
function judgingBy(trust: Trust) {
  return { trust, known: new LRUCache<string, readonly Outcome[]>({ max: OUTCOMES_MAX }) };
}

/** @returns `undefined` when its content is not there. */
async function judgeLayer(
  { descriptor, read }: SignatureLayer,
  subject: Digest,
  trust: Trust,
  nowMs: number,
): Promise<Outcome | undefined> {
  const { mediaType, size, annotations } = descriptor;
  if (mediaType === NOTATION_COSE) return { ok: false, why: 'a Notation signature in COSE: sign as JWS' };
  const isSignature = [SIMPLE_SIGNING, ENVELOPE, NOTATION].includes(mediaType) || BUNDLE.test(mediaType);
  if (!isSignature) return { ok: false, why: 'what stands in the place of a signature is none' };
  if (size > LAYER_BYTES_MAX) return { ok: false, why: 'a signature that is too large' };
  const bytes = await read();
  if (!bytes) return undefined;
  if (mediaType === NOTATION) return judgeNotation(bytes, subject, trust.notation, nowMs);
  if (mediaType === ENVELOPE) return judgePlainEnvelope(bytes, subject, trust.keys);
  if (mediaType !== SIMPLE_SIGNING) return judgeBundle(bytes, subject, trust);
  return judgeSimpleSigning(
    { payload: bytes, signature: annotations[SIGNATURE_ANNOTATION] },
    subject,
    trust.keys,
  );
}
