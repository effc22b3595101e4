import { type ManifestResult, parseManifest } from '../oci/index.ts';
import { isContentOf } from './digests.ts';

/**
 * Reads a manifest that is to be let in, pushed by a client or held by a registry behind us. Content that it carries
 * inside must be what its digest names: clients differ in which of the two they believe, and only what the digest
 * names is scanned.
 *
 * @see OCI image-spec 1.1, descriptor.md, `data`; threats V-17.
 */
export function takeManifest(bytes: Uint8Array, contentType: string | undefined): ManifestResult {
  const parsed = parseManifest(bytes, contentType);
  if (!parsed.ok) return parsed;
  const other = parsed.embedded.find((embedded) => !isContentOf(embedded.bytes, embedded.digest));
  if (!other) return parsed;
  return { ok: false, problem: `the content embedded as data is not what ${other.digest} names` };
}
