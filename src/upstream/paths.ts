import type { Digest, Repository, Tag } from '../oci/index.ts';
import { upstreamBroken } from './faults.ts';

/*
 * Every path sent upstream is written here from parsed parts, whose alphabets need no escaping; nothing of a
 * client's URL is ever passed on (threats, chapter 0.3: proxies and registries read the same URL
 * differently).
 */

export const manifestPath = (repository: Repository, reference: Tag | Digest) =>
  `/v2/${repository}/manifests/${reference}`;

/** A push by digest that sets tags as well. @see OCI distribution-spec, newest text, end-7b */
export const pushPath = (repository: Repository, digest: Digest, tags: readonly Tag[]) =>
  `${manifestPath(repository, digest)}${tags.map((tag, index) => `${index === 0 ? '?' : '&'}tag=${tag}`).join('')}`;

export const blobPath = (repository: Repository, digest: Digest) => `/v2/${repository}/blobs/${digest}`;

export const uploadsPath = (repository: Repository) => `/v2/${repository}/blobs/uploads/`;

/** What our own token must hold. @see distribution docs/content/spec/auth/scope.md */
export const scopeOf = (repository: Repository, actions: 'pull' | 'pull,push' | 'pull,delete') =>
  `repository:${repository}:${actions}`;

/** What still fits into the Location that the gateway seals it in. */
const STATE_LENGTH_MAX = 2048;
/** Path and query in the characters of RFC 3986, without the empty segments that http-proxy would fold. */
const STATE =
  /^(?:\/[A-Za-z0-9\-._~!$&()*+,;=:@%]+)+\/?(?:\?[A-Za-z0-9\-._~!$&()*+,;=:@%/?]*)?(?:#\d{1,15})?$/;

/** Where an upload stands upstream: its path and query, and how many bytes it had when it was last seen. */
export interface UploadPlace {
  readonly path: string;
  readonly offset: number;
}

/** @returns `undefined` for what printState did not write. */
export function parseState(state: string): UploadPlace | undefined {
  if (state.length > STATE_LENGTH_MAX || !STATE.test(state)) return undefined;
  const [path = '', offset] = state.split('#');
  // The same check as at its birth: dot segments would be folded on the way.
  const url = new URL(path, 'http://upstream');
  return `${url.pathname}${url.search}` === path ? { path, offset: Number(offset ?? 0) } : undefined;
}

/** The offset stands after `#`, which is never sent. */
export function printState(place: UploadPlace): string {
  return `${place.path}#${place.offset}`;
}

/**
 * Reads the Location of an upload. Only path and query are taken from it, so the scheme may differ (a
 * registry behind a TLS proxy often says http), but a foreign host is refused: the upload would be another
 * one's.
 *
 * @throws {UpstreamUnavailable}
 */
export function readUploadPath(location: string | undefined, requestPath: string, upstream: URL): string {
  const base = new URL(requestPath, upstream);
  const url = location && URL.canParse(location, base) ? new URL(location, base) : undefined;
  const isOurs = url && /^https?:$/.test(url.protocol) && url.host === upstream.host;
  if (!url || !isOurs || url.username !== '' || url.password !== '') {
    throw upstreamBroken('an upload at another host');
  }
  const path = `${url.pathname}${url.search}`;
  if (!parseState(path)) throw upstreamBroken('an upload address that cannot be used');
  return path;
}

export function withDigest(path: string, digest: Digest): string {
  return `${path}${path.includes('?') ? '&' : '?'}digest=${encodeURIComponent(digest)}`;
}
