declare const repositoryBrand: unique symbol;
declare const tagBrand: unique symbol;
declare const digestBrand: unique symbol;

/** `team/app`. Only parseRepository mints one, so holding it proves the check was made. */
export type Repository = string & { readonly [repositoryBrand]: true };
/** `1.4`. Only parseTag mints one. */
export type Tag = string & { readonly [tagBrand]: true };
/** `sha256:<64 hex>` or `sha512:<128 hex>`, lower case. Only parseDigest mints one. */
export type Digest = string & { readonly [digestBrand]: true };

export type Reference =
  | { readonly kind: 'tag'; readonly tag: Tag }
  | { readonly kind: 'digest'; readonly digest: Digest };

export type DigestAlgorithm = 'sha256' | 'sha512';

const REPOSITORY = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const REPOSITORY_LENGTH_MAX = 255;
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;
const DIGEST = /^(?:sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128})$/;

/** @see OCI distribution-spec 1.1, "Pulling manifests": `<name>`. */
export function parseRepository(text: string): Repository | undefined {
  return text.length <= REPOSITORY_LENGTH_MAX && REPOSITORY.test(text) ? (text as Repository) : undefined;
}

/** @see OCI distribution-spec 1.1, "Pulling manifests": `<reference>` as a tag. */
export function parseTag(text: string): Tag | undefined {
  return TAG.test(text) ? (text as Tag) : undefined;
}

/** Accepts the two algorithms that the image-spec registers; anything else is not a digest to us. */
export function parseDigest(text: string): Digest | undefined {
  return DIGEST.test(text) ? (text as Digest) : undefined;
}

/** A text with a colon can only be a digest (a tag has none), so `sha256:zz` is no reference at all. */
export function parseReference(text: string): Reference | undefined {
  if (text.includes(':')) {
    const digest = parseDigest(text);
    return digest ? { kind: 'digest', digest } : undefined;
  }
  const tag = parseTag(text);
  return tag ? { kind: 'tag', tag } : undefined;
}

export function printReference(reference: Reference): string {
  return reference.kind === 'tag' ? reference.tag : reference.digest;
}

export function algorithmOf(digest: Digest): DigestAlgorithm {
  return digest.startsWith('sha512:') ? 'sha512' : 'sha256';
}

/** The hexadecimal half of a digest; safe as a file name, since parseDigest admits nothing else. */
export function hexOf(digest: Digest): string {
  return digest.slice(digest.indexOf(':') + 1);
}

/** `sha256:1a2b3c4d5e6f`: enough for a person to recognise a digest. */
export function shortDigest(digest: Digest): string {
  return digest.slice(0, digest.indexOf(':') + 1 + 12);
}
