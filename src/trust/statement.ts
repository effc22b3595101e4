import { type Digest, type JsonValue, parseStrictJson } from '../oci/index.ts';
import type { Attested } from '../policy/index.ts';
import { memberOf, textOf } from './members.ts';

/** The only payload of an envelope that is read. */
export const STATEMENT_TYPE = 'application/vnd.in-toto+json';
const VERSIONS: readonly JsonValue[] = [
  'https://in-toto.io/Statement/v1',
  'https://in-toto.io/Statement/v0.1',
];
/** The predicate by which `cosign sign` says that this is a signature and no more. */
const SIGNATURE = 'https://sigstore.dev/cosign/sign/v1';

/**
 * Reads a signed statement about exactly this digest.
 *
 * @returns what it states, or in one clause why it says nothing about the digest.
 * @see in-toto attestation framework, spec/v1/statement.md; SLSA provenance v0.2 and v1.
 */
export function readStatement(
  payload: Uint8Array,
  subject: Digest,
):
  | { readonly ok: true; readonly what: Omit<Attested, 'by'> }
  | { readonly ok: false; readonly problem: string } {
  const json = parseStrictJson(payload);
  if (!json.ok || !VERSIONS.includes(memberOf(json.value, '_type') ?? null)) {
    return { ok: false, problem: 'that holds no in-toto statement' };
  }
  const predicateType = textOf(memberOf(json.value, 'predicateType'));
  if (!predicateType) return { ok: false, problem: 'that names no predicate type' };
  if (!isAbout(memberOf(json.value, 'subject'), subject)) return { ok: false, problem: 'for another digest' };
  if (predicateType === SIGNATURE) return { ok: true, what: {} };
  return { ok: true, what: { predicateType, ...provenanceOf(memberOf(json.value, 'predicate')) } };
}

function isAbout(subjects: JsonValue | undefined, digest: Digest): boolean {
  const [algorithm = '', hex] = digest.split(':');
  return Array.isArray(subjects) && subjects.some((one) => memberOf(one, 'digest', algorithm) === hex);
}

/** Builder and source repository, where the predicate has them in the place of its version. */
function provenanceOf(predicate: JsonValue | undefined): Pick<Attested, 'builder' | 'source'> {
  const builder =
    textOf(memberOf(predicate, 'runDetails', 'builder', 'id')) ??
    textOf(memberOf(predicate, 'builder', 'id'));
  const source =
    textOf(memberOf(predicate, 'buildDefinition', 'externalParameters', 'workflow', 'repository')) ??
    textOf(memberOf(predicate, 'buildDefinition', 'externalParameters', 'source')) ??
    textOf(memberOf(predicate, 'invocation', 'configSource', 'uri'));
  return { ...(builder === undefined ? {} : { builder }), ...(source === undefined ? {} : { source }) };
}
