import { createHash } from 'node:crypto';
import {
  algorithmOf,
  type Digest,
  isRefusal,
  isSchema1Type,
  MANIFEST_BYTES_MAX,
  MANIFEST_TYPES,
  type Manifest,
  mediaTypeOf,
  parseDigest,
  parseManifest,
  type Refusal,
  type Repository,
  refuse,
  type Tag,
} from '../oci/index.ts';
import { bodyLengthOf, errorOf, faultFor, headerOf, type WholeAnswer } from './answer.ts';
import { findBlob } from './blobs.ts';
import type { Client } from './client.ts';
import { upstreamBroken } from './faults.ts';
import { manifestPath, pushPath, scopeOf } from './paths.ts';
import { refusalFor } from './refusals.ts';

/**
 * All four types, so that the upstream never picks a child of an index or converts to schema 1 for us (V-09).
 */
const ACCEPT = { accept: MANIFEST_TYPES.join(', ') };

export async function resolveTag(
  client: Client,
  repository: Repository,
  tag: Tag,
): Promise<Digest | undefined> {
  const path = manifestPath(repository, tag);
  const scopes = [scopeOf(repository, 'pull')];
  // Each pull by tag asks this: a connection and a handshake for each would be most of what it costs.
  const head = await client.fetch({ method: 'HEAD', path, scopes, headers: ACCEPT, keepsConnection: true });
  if (head.status === 404) return undefined;
  if (head.status !== 200 && head.status !== 405) throw faultFor(head);
  const stated = headerOf(head, 'docker-content-digest');
  if (head.status === 200 && stated !== undefined) return digestIn(stated);
  const whole = await fetchManifest(client, repository, tag);
  return whole && digestOf(whole.bytes, 'sha256');
}

export async function readManifest(
  client: Client,
  repository: Repository,
  digest: Digest,
): Promise<{ readonly mediaType: string; readonly bytes: Uint8Array } | undefined> {
  const answer = await fetchManifest(client, repository, digest);
  if (!answer) return undefined;
  if (isOtherDigest(answer, digest) || digestOf(answer.bytes, algorithmOf(digest)) !== digest) {
    throw upstreamBroken('another manifest than the one asked for');
  }
  return { mediaType: mediaTypeFor(answer), bytes: answer.bytes };
}

async function fetchManifest(
  client: Client,
  repository: Repository,
  reference: Tag | Digest,
): Promise<WholeAnswer | undefined> {
  const answer = await client.fetch({
    method: 'GET',
    path: manifestPath(repository, reference),
    scopes: [scopeOf(repository, 'pull')],
    headers: ACCEPT,
    bytesMax: MANIFEST_BYTES_MAX,
  });
  if (answer.status === 404) return undefined;
  if (answer.status !== 200) {
    if (await isBlobInstead(client, repository, parseDigest(reference), answer)) return undefined;
    throw faultFor(answer);
  }
  bodyLengthOf(answer);
  return answer;
}

/**
 * docker-registry 2.8.2 answers 500 when a blob's digest is asked for as a manifest: no such manifest is
 * there.
 */
async function isBlobInstead(
  client: Client,
  repository: Repository,
  digest: Digest | undefined,
  answer: WholeAnswer,
): Promise<boolean> {
  if (answer.status !== 500 || digest === undefined) return false;
  return (await findBlob(client, repository, digest)) !== undefined;
}

/** Registries reckon in sha256 and state that even when sha512 was asked; only like is compared with like. */
function isOtherDigest(answer: WholeAnswer, digest: Digest): boolean {
  const header = headerOf(answer, 'docker-content-digest');
  const stated = header === undefined ? undefined : digestIn(header);
  return stated !== undefined && algorithmOf(stated) === algorithmOf(digest) && stated !== digest;
}

function digestIn(header: string): Digest {
  const digest = parseDigest(header);
  if (!digest) throw upstreamBroken('a malformed Docker-Content-Digest');
  return digest;
}

function digestOf(bytes: Uint8Array, algorithm: 'sha256' | 'sha512'): Digest {
  return digestIn(`${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`);
}

/**
 * The stated type where it is a manifest's; what a plain file server states instead is replaced by the one
 * inside.
 */
function mediaTypeFor(answer: WholeAnswer): string {
  const stated = mediaTypeOf(headerOf(answer, 'content-type'));
  if (stated !== undefined && (MANIFEST_TYPES.includes(stated) || isSchema1Type(stated))) return stated;
  const read = parseManifest(answer.bytes, undefined);
  if (!read.ok) throw upstreamBroken('no manifest where one was asked for');
  return read.manifest.mediaType;
}

export interface ManifestPush {
  readonly repository: Repository;
  readonly digest: Digest;
  readonly tags: readonly Tag[];
  readonly mediaType: string;
  readonly bytes: Uint8Array;
  readonly manifest: Manifest;
}

/**
 * By each tag; without one, or by another algorithm than the one registries reckon with, by the digest first,
 * so that no tag ever names what cannot be asked by its digest. The tags are then parameters of that push: pushed
 * by a tag alone, a registry that takes sha512 would name the manifest by its sha256. One that knows no such
 * parameters says nothing of them, and is given each tag by itself.
 *
 * @see OCI distribution-spec, newest text, end-7b
 */
export async function pushManifest(client: Client, push: ManifestPush): Promise<Refusal | undefined> {
  let tags = push.tags;
  if (tags.length === 0 || algorithmOf(push.digest) !== 'sha256') {
    const answer = await putManifest(client, push, pushPath(push.repository, push.digest, tags));
    if (isRefusal(answer)) return answer;
    const taken = tagsOf(answer);
    tags = tags.filter((tag) => !taken.has(tag));
  }
  for (const tag of tags) {
    const answer = await putManifest(client, push, manifestPath(push.repository, tag));
    if (isRefusal(answer)) return answer;
  }
  return undefined;
}

async function putManifest(client: Client, push: ManifestPush, path: string): Promise<WholeAnswer | Refusal> {
  const answer = await client.fetch({
    method: 'PUT',
    path,
    scopes: [scopeOf(push.repository, 'pull,push')],
    headers: { 'content-type': push.mediaType },
    body: push.bytes,
  });
  if (answer.status !== 201 && answer.status !== 202) return manifestRefusal(answer);
  if (isOtherDigest(answer, push.digest)) throw upstreamBroken('another digest than that of the manifest');
  return answer;
}

/** The tags that the upstream says it has set, a header each or all in one. */
function tagsOf({ headers }: WholeAnswer): ReadonlySet<string> {
  const stated = headers['oci-tag'] ?? [];
  return new Set([stated].flat().flatMap((line) => line.split(',').map((tag) => tag.trim())));
}

function manifestRefusal(answer: WholeAnswer): Refusal {
  const { code, detail } = errorOf(answer);
  if (code === 'MANIFEST_BLOB_UNKNOWN' || (code === 'BLOB_UNKNOWN' && answer.status < 500)) {
    const missing = typeof detail === 'string' ? parseDigest(detail) : undefined;
    const what = missing ? `${missing}, which` : 'something that';
    return refuse('MANIFEST_BLOB_UNKNOWN', `the manifest names ${what} this repository does not hold`, {
      ...(missing ? { detail: { digest: missing } } : {}),
    });
  }
  if (code === 'DIGEST_INVALID') {
    return refuse(
      'DIGEST_INVALID',
      'the registry behind this gateway takes no manifest by a digest of this algorithm',
    );
  }
  return refusalFor(answer, {
    400: refuse('MANIFEST_INVALID', 'the registry behind this gateway does not take this manifest'),
    404: refuse('NAME_UNKNOWN', 'the registry behind this gateway has no such repository'),
    413: refuse('MANIFEST_INVALID', 'the manifest is larger than the registry behind this gateway takes', {
      status: 413,
    }),
    422: refuse('MANIFEST_INVALID', 'the registry behind this gateway does not take this manifest'),
  });
}

export async function removeManifest(
  client: Client,
  repository: Repository,
  digest: Digest,
): Promise<Refusal | undefined> {
  const unknown = refuse('MANIFEST_UNKNOWN', 'this repository holds no such manifest');
  const path = manifestPath(repository, digest);
  // docker-registry 2.8.2 takes DELETE manifests/DIGEST of a blob, answers 202 and unlinks the blob: so first
  // ask.
  const head = await client.fetch({
    method: 'HEAD',
    path,
    scopes: [scopeOf(repository, 'pull')],
    headers: ACCEPT,
  });
  if (head.status === 404 || (await isBlobInstead(client, repository, digest, head))) return unknown;
  if (head.status !== 200) throw faultFor(head);
  const answer = await client.fetch({ method: 'DELETE', path, scopes: [scopeOf(repository, 'pull,delete')] });
  if (answer.status === 202 || answer.status === 200 || answer.status === 204) return undefined;
  return refusalFor(answer, {
    404: unknown,
    405: refuse('UNSUPPORTED', 'the registry behind this gateway does not allow manifests to be deleted'),
  });
}

/** Registries that cannot delete a tag alone say so with 400 or 405. */
export async function removeTag(
  client: Client,
  repository: Repository,
  tag: Tag,
): Promise<Refusal | undefined> {
  const unknown = refuse('MANIFEST_UNKNOWN', 'this repository holds no such tag');
  if ((await resolveTag(client, repository, tag)) === undefined) return unknown;
  const answer = await client.fetch({
    method: 'DELETE',
    path: manifestPath(repository, tag),
    scopes: [scopeOf(repository, 'pull,delete')],
  });
  if (answer.status === 202 || answer.status === 200 || answer.status === 204) return undefined;
  const unsupported = refuse(
    'UNSUPPORTED',
    'the registry behind this gateway cannot delete a tag: delete the manifest by its digest',
  );
  return refusalFor(answer, { 400: unsupported, 404: unknown, 405: unsupported });
}
