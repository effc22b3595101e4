import { type Digest, type Manifest, type Refusal, shapeOf, type Tag } from '../oci/index.ts';
import type { Verdict } from '../policy/index.ts';
import { blockedRefusal, recordedVerdict } from './blocked.ts';
import { type CallOf, header } from './call.ts';
import type { GatewayParts } from './parts.ts';
import type { DecisionFacts } from './plan.ts';

interface PolicyAnswer {
  /** Those of the tags that never change once they exist; checked again when they are set. */
  readonly immutable: readonly Tag[];
  readonly refused?: { readonly refusal: Refusal; readonly facts: Partial<DecisionFacts> };
}

/**
 * What policies refuse to take in at all: by shape, or because a tag never changes. Everything else about an image is
 * judged when it is pulled, after its scan.
 */
export async function askPolicies(
  call: CallOf<'manifest'>,
  parts: Pick<GatewayParts, 'verdicts'>,
  pushed: {
    readonly digest: Digest;
    readonly manifest: Manifest;
    readonly bytes: Uint8Array;
    readonly tags: readonly Tag[];
    /** Those of the tags that name another digest now. */
    readonly overwrites: readonly Tag[];
  },
): Promise<PolicyAnswer> {
  const { digest, manifest, tags, overwrites } = pushed;
  const { repository } = call.route;
  const { kind, artifactType } = manifest;
  const shape = {
    kind,
    ...shapeOf(manifest, pushed.bytes.length),
    ...(artifactType === undefined ? {} : { artifactType }),
  };
  const opinion = await parts.verdicts.judgePush({ repository, shape, tags, overwrites });
  const { reasons, warnings, immutable } = opinion;
  const [first] = reasons;
  if (!first) return { immutable };
  const verdict: Verdict = {
    digest,
    outcome: 'block',
    reasons,
    warnings,
    validUntilMs: 0,
    holdMs: 0,
  };
  const userAgent = header(call, 'user-agent');
  const refused = {
    refusal: blockedRefusal({ repository, digest, verdict, decisionId: call.id, userAgent }),
    facts: { reason: `policy.${first.rule}`, verdict: recordedVerdict(verdict) },
  };
  return { immutable, refused };
}
