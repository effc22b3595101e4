import { type Digest, type JsonValue, parseStrictJson } from '../oci/index.ts';
import { memberOf } from './members.ts';
import { namesOf, signersOf, speakFor } from './trusted-key.ts';
import type { Outcome, TrustedKey } from './types.ts';

/** What cosign calls its payload, in the versions that are about. */
const TYPES: readonly JsonValue[] = [
  'cosign container image signature',
  'https://sigstore.dev/cosign/sign/v1',
];
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * Judges one layer of a manifest tagged `sha256-<hex>.sig`: a payload that names a digest, and in an annotation the
 * signature over its exact bytes. Never throws for what is in it.
 *
 * @see sigstore/cosign, specs/SIGNATURE_SPEC.md; containers/image, "Simple signing" payload.
 */
export function judgeSimpleSigning(
  { payload, signature }: { readonly payload: Uint8Array; readonly signature: string | undefined },
  subject: Digest,
  keys: readonly TrustedKey[],
): Outcome {
  if (!signature || !BASE64.test(signature)) return refused('a signature layer without a signature');
  const signers = signersOf(keys, payload, Buffer.from(signature, 'base64'));
  if (signers.length === 0) return refused('a signature by no trusted key');
  const json = parseStrictJson(payload);
  const critical = json.ok ? memberOf(json.value, 'critical') : undefined;
  if (!TYPES.includes(memberOf(critical, 'type') ?? null)) {
    return refused(`signed by ${namesOf(signers)}, but no signature of an image`);
  }
  if (memberOf(critical, 'image', 'docker-manifest-digest') !== subject) {
    return refused(`a signature by ${namesOf(signers)} for another digest`);
  }
  return speakFor(signers);
}

function refused(why: string): Outcome {
  return { ok: false, why };
}
