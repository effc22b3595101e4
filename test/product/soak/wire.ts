import { randomInt } from 'node:crypto';
import { type BuiltBlob, type BuiltImage, type BuiltIndex, digestOf } from '../../support/image.ts';
import type { Answered, Ask, Session } from './session.ts';

/** What a pull is asked for, and must be given. */
export interface Shared {
  readonly repository: string;
  readonly tag: string;
  readonly item: BuiltImage | BuiltIndex;
  /** A policy blocks it: the pull ends with 403 where the manifest is asked for. */
  readonly isBlocked?: boolean;
}

/** What is pushed: its first layer lies in `mountFrom` already. */
export interface Fresh {
  readonly repository: string;
  readonly tag: string;
  readonly image: BuiltImage;
  readonly mountFrom: string;
}

/** How one kind of client speaks, as it was seen on the wire. */
export interface Dialect {
  readonly name: string;
  readonly keepsConnections: boolean;
  pull(session: Session, shared: Shared): Promise<void>;
  push(session: Session, fresh: Fresh): Promise<void>;
}

const MANIFESTS = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
];

/** In any order: docker takes it from a Go map. */
export function acceptHeader(): string {
  const at = randomInt(MANIFESTS.length);
  return [...MANIFESTS.slice(at), ...MANIFESTS.slice(0, at)].join(', ');
}

/** The image of the platform that every session has. */
function ownImage(item: BuiltImage | BuiltIndex): BuiltImage {
  const own = 'children' in item ? item.children[0] : item;
  if (!own) throw new Error('an index without children');
  return own;
}

/** The parameters of a Bearer challenge. @throws {Error} the answer has none. */
export function challengeOf(answer: Answered): ReadonlyMap<string, string> {
  const header = answer.headers['www-authenticate'];
  if (typeof header !== 'string' || !header.startsWith('Bearer ')) throw new Error('no Bearer challenge');
  return new Map([...header.matchAll(/(\w+)="([^"]*)"/g)].map(([, key = '', value = '']) => [key, value]));
}

/** `GET /v2/` without a credential, which must be told where tokens are. */
export async function ping(session: Session): Promise<string> {
  const challenge = challengeOf(await session.ask('GET', '/v2/', { expects: [401] }));
  const service = challenge.get('service');
  if (service === undefined) throw new Error('the challenge names no service');
  return service;
}

/** A token by GET and Basic; several `scope` parameters where a client sends several. */
export async function tokenByGet(
  session: Session,
  query: Readonly<Record<string, string>>,
  scopes: readonly string[],
): Promise<string> {
  const parameters = new URLSearchParams([
    ...Object.entries(query),
    ...scopes.map((scope) => ['scope', scope]),
  ]);
  const ask = { authorization: session.basic, expects: [200] };
  return bearerOf(await session.ask('GET', `/token?${parameters}`, ask));
}

export async function tokenByPost(
  session: Session,
  form: Readonly<Record<string, string>>,
): Promise<{ readonly bearer: string; readonly refreshToken: string | undefined }> {
  const answer = await session.ask('POST', '/token', {
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: Buffer.from(new URLSearchParams(form).toString()),
    expects: [200],
  });
  const { refresh_token: refreshToken } = JSON.parse(answer.body.toString());
  return {
    bearer: bearerOf(answer),
    refreshToken: typeof refreshToken === 'string' ? refreshToken : undefined,
  };
}

function bearerOf(answer: Answered): string {
  const { token } = JSON.parse(answer.body.toString());
  if (typeof token !== 'string') throw new Error('the token endpoint gave no token');
  return `Bearer ${token}`;
}

/** A manifest with this token, whose bytes must be those. */
export async function getManifest(
  session: Session,
  path: string,
  { authorization, wanted }: { readonly authorization: string; readonly wanted: Uint8Array },
): Promise<void> {
  const answer = await session.ask('GET', path, {
    authorization,
    headers: { accept: acceptHeader() },
    expects: [200],
  });
  if (!answer.body.equals(wanted)) throw new Error(`${path}: another manifest`);
}

/** A pull that a policy refuses, by its manifest: the sentence is the gateway's. */
export async function expectBlocked(session: Session, path: string, authorization: string): Promise<void> {
  const ask = { authorization, headers: { accept: acceptHeader() }, expects: [403] };
  const { body } = await session.ask('GET', path, ask);
  if (!body.includes('dockgate: blocked')) throw new Error(`${path}: refused without the reason: ${body}`);
}

export async function getBlob(
  session: Session,
  repository: string,
  blob: BuiltBlob,
  authorization: string,
): Promise<void> {
  const path = `/v2/${repository}/blobs/${blob.digest}`;
  const { body } = await session.ask('GET', path, { authorization, expects: [200] });
  checkBytes(path, body, blob);
}

/** The same over a line that breaks in the middle: the rest comes by a range. */
async function getBlobInTwo(
  session: Session,
  repository: string,
  blob: BuiltBlob,
  authorization: string,
): Promise<void> {
  const path = `/v2/${repository}/blobs/${blob.digest}`;
  const half = Math.ceil(blob.bytes.length / 2);
  const first = await session.ask('GET', path, { authorization, cutAfterBytes: half, expects: [200] });
  const isWhole = first.body.length === blob.bytes.length;
  const got = first.body.subarray(0, isWhole ? half : first.body.length);
  const rest = await session.ask('GET', path, {
    authorization,
    headers: { range: `bytes=${got.length}-` },
    expects: [206],
  });
  checkBytes(path, Buffer.concat([got, rest.body]), blob);
}

/** The manifest of the session's own platform, where the item is an index; it has the image's own already. */
export async function getOwnManifest(
  session: Session,
  repository: string,
  item: BuiltImage | BuiltIndex,
  authorization: string,
): Promise<BuiltImage> {
  const image = ownImage(item);
  if (image !== item) {
    const path = `/v2/${repository}/manifests/${image.digest}`;
    await getManifest(session, path, { authorization, wanted: image.manifest });
  }
  return image;
}

/** Config and layers side by side, one of the layers over a line that breaks. */
export async function getContent(
  session: Session,
  repository: string,
  image: BuiltImage,
  given: { readonly authorization: string; readonly brokenLayer: number },
): Promise<void> {
  await Promise.all([
    getBlob(session, repository, image.config, given.authorization),
    ...image.layers.map((layer, at) => {
      const get = at === given.brokenLayer ? getBlobInTwo : getBlob;
      return get(session, repository, layer, given.authorization);
    }),
  ]);
}

function checkBytes(path: string, body: Buffer, blob: BuiltBlob): void {
  if (body.length !== blob.bytes.length || digestOf(body) !== blob.digest) {
    throw new Error(`${path}: ${body.length} other bytes`);
  }
}

/** Whether the repository has the blob, by HEAD. */
export async function hasBlob(
  session: Session,
  repository: string,
  blob: BuiltBlob,
  authorization: string,
): Promise<boolean> {
  const path = `/v2/${repository}/blobs/${blob.digest}`;
  return (await session.ask('HEAD', path, { authorization, expects: [200, 404] })).status === 200;
}

/** Where the upload is that a POST began. */
export async function beginUpload(
  session: Session,
  repository: string,
  authorization: string,
): Promise<string> {
  const path = `/v2/${repository}/blobs/uploads/`;
  return locationOf(await session.ask('POST', path, { authorization, expects: [202] }));
}

/** @returns false where an ordinary upload was begun instead, which is left behind. */
export async function mountBlob(
  session: Session,
  fresh: Fresh,
  blob: BuiltBlob,
  authorization: string,
): Promise<boolean> {
  const query = new URLSearchParams({ from: fresh.mountFrom, mount: blob.digest });
  const path = `/v2/${fresh.repository}/blobs/uploads/?${query}`;
  return (await session.ask('POST', path, { authorization, expects: [201, 202] })).status === 201;
}

/** A request to an upload's location; a PATCH is told the next one. */
export async function continueUpload(
  session: Session,
  method: 'PATCH' | 'PUT',
  location: string,
  ask: Omit<Ask, 'expects'> & { readonly digest?: string },
): Promise<string> {
  const { digest, ...rest } = ask;
  const separator = location.includes('?') ? '&' : '?';
  const path =
    digest === undefined ? location : `${location}${separator}digest=${encodeURIComponent(digest)}`;
  return locationOf(await session.ask(method, path, { ...rest, expects: [method === 'PUT' ? 201 : 202] }));
}

export async function putManifest(session: Session, fresh: Fresh, authorization: string): Promise<void> {
  await session.ask('PUT', `/v2/${fresh.repository}/manifests/${fresh.tag}`, {
    authorization,
    headers: { 'content-type': fresh.image.mediaType },
    body: fresh.image.manifest,
    expects: [201],
  });
}

function locationOf(answer: Answered): string {
  const { location } = answer.headers;
  if (typeof location !== 'string') throw new Error(`an answer ${answer.status} has no Location`);
  const { pathname, search } = new URL(location, 'https://localhost');
  return pathname + search;
}
