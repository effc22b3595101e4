import type { UploadBody, UploadProgress } from '../content/index.ts';
import { type Digest, type DigestAlgorithm, type Refusal, type Repository, refuse } from '../oci/index.ts';
import { faultFor, headerOf, type WholeAnswer } from './answer.ts';
import { findBlob } from './blobs.ts';
import type { Client } from './client.ts';
import { upstreamBroken, upstreamSignInFailed } from './faults.ts';
import type { UpstreamTimeouts } from './options.ts';
import {
  parseState,
  printState,
  readUploadPath,
  scopeOf,
  type UploadPlace,
  uploadsPath,
  withDigest,
} from './paths.ts';
import type { UploadProxy } from './proxy.ts';
import {
  BODY_REFUSALS,
  offsetIn,
  refuseOtherDigest,
  UPLOAD_UNKNOWN,
  uploadRefusal,
} from './upload-answers.ts';

export interface UploadParts {
  readonly client: Client;
  readonly proxy: UploadProxy;
  readonly upstream: URL;
  readonly timeouts: UpstreamTimeouts;
}

export async function startUpload(
  { client, upstream }: UploadParts,
  repository: Repository,
  algorithm: DigestAlgorithm,
): Promise<UploadProgress> {
  const path = `${uploadsPath(repository)}${algorithm === 'sha256' ? '' : `?digest-algorithm=${algorithm}`}`;
  const answer = await client.fetch({ method: 'POST', path, scopes: [scopeOf(repository, 'pull,push')] });
  if (answer.status !== 202) throw faultFor(answer);
  return progressOf({ path: readUploadPath(headerOf(answer, 'location'), path, upstream), offset: 0 });
}

export async function mountBlob(
  parts: UploadParts,
  repository: Repository,
  from: Repository,
  digest: Digest,
): Promise<{ readonly size: number } | undefined> {
  const path = `${uploadsPath(repository)}?${new URLSearchParams({ mount: digest, from })}`;
  const scopes = [scopeOf(repository, 'pull,push'), scopeOf(from, 'pull')];
  const answer = await parts.client.fetch({ method: 'POST', path, scopes });
  if (answer.status === 201) {
    refuseOtherDigest(answer, digest);
    return findBlob(parts.client, repository, digest);
  }
  if (answer.status === 202) {
    // It began an upload instead. Nobody will go on with that one.
    await cancel(parts, repository, readUploadPath(headerOf(answer, 'location'), path, parts.upstream));
    return undefined;
  }
  if (answer.status === 404 || answer.status === 405) return undefined;
  throw faultFor(answer);
}

export async function appendUpload(
  parts: UploadParts,
  repository: Repository,
  state: string,
  body: UploadBody,
): Promise<UploadProgress | Refusal> {
  const place = parseState(state);
  if (!place) return UPLOAD_UNKNOWN;
  const current = await checkChunk(parts, repository, place, body);
  if ('code' in current) return current;
  const sent = await sendBody(parts, repository, 'PATCH', current.path, body, parts.timeouts.answerMs);
  if ('code' in sent) return sent;
  const { answer, sentBytes } = sent;
  if (answer.status !== 202 && answer.status !== 201 && answer.status !== 204) return uploadRefusal(answer);
  const path = readUploadPath(headerOf(answer, 'location'), current.path, parts.upstream);
  return progressOf({ path, offset: offsetIn(answer, current.offset + sentBytes) });
}

export async function finishUpload(
  parts: UploadParts,
  repository: Repository,
  state: string,
  digest: Digest,
  body: UploadBody,
): Promise<{ readonly size: number } | Refusal> {
  const place = parseState(state);
  if (!place) return UPLOAD_UNKNOWN;
  const current = await checkChunk(parts, repository, place, body);
  if ('code' in current) return current;
  const path = withDigest(current.path, digest);
  const answer = await finish(parts, repository, path, body);
  if ('code' in answer) return answer;
  if (answer.status !== 201 && answer.status !== 204) return uploadRefusal(answer);
  refuseOtherDigest(answer, digest);
  const blob = await findBlob(parts.client, repository, digest);
  if (!blob) throw upstreamBroken('a finished upload whose blob is not there');
  return blob;
}

/** The usual end has no body: then an ordinary request does, on a connection that is there already. */
async function finish(
  parts: UploadParts,
  repository: Repository,
  path: string,
  body: UploadBody,
): Promise<WholeAnswer | Refusal> {
  const { commitMs } = parts.timeouts;
  if (body.contentLength === 0) {
    return parts.client.fetch({
      method: 'PUT',
      path,
      scopes: [scopeOf(repository, 'pull,push')],
      headers: { 'content-type': 'application/octet-stream' },
      waitMsMax: commitMs,
    });
  }
  const sent = await sendBody(parts, repository, 'PUT', path, body, commitMs);
  return 'code' in sent ? sent : sent.answer;
}

export async function findUpload(
  { client, upstream }: UploadParts,
  repository: Repository,
  state: string,
): Promise<UploadProgress | undefined> {
  const place = parseState(state);
  const found = place && (await locate(client, upstream, repository, place));
  return found && progressOf(found);
}

export async function cancelUpload(
  parts: UploadParts,
  repository: Repository,
  state: string,
): Promise<boolean> {
  const place = parseState(state);
  return place ? cancel(parts, repository, place.path) : false;
}

async function cancel({ client }: UploadParts, repository: Repository, path: string): Promise<boolean> {
  const answer = await client.fetch({ method: 'DELETE', path, scopes: [scopeOf(repository, 'pull,push')] });
  if (answer.status === 404) return false;
  if (answer.status !== 204 && answer.status !== 202 && answer.status !== 200) throw faultFor(answer);
  return true;
}

async function locate(
  client: Client,
  upstream: URL,
  repository: Repository,
  place: UploadPlace,
): Promise<UploadPlace | undefined> {
  const scopes = [scopeOf(repository, 'pull,push')];
  const answer = await client.fetch({ method: 'GET', path: place.path, scopes });
  if (answer.status === 404) return undefined;
  if (answer.status !== 204 && answer.status !== 202 && answer.status !== 200) throw faultFor(answer);
  const location = headerOf(answer, 'location');
  const path = location === undefined ? place.path : readUploadPath(location, place.path, upstream);
  return { path, offset: offsetIn(answer, place.offset) };
}

/**
 * Where a chunk says where it belongs, that is held against what the upstream has now: docker-registry 2.8.2
 * reads no Content-Range and would append it anywhere.
 */
async function checkChunk(
  { client, upstream }: UploadParts,
  repository: Repository,
  place: UploadPlace,
  body: UploadBody,
): Promise<UploadPlace | Refusal> {
  const { range, contentLength } = body;
  if (!range) return place;
  if (contentLength !== undefined && contentLength !== range.last - range.first + 1) {
    return refuse('SIZE_INVALID', 'Content-Range and Content-Length of the chunk do not agree');
  }
  const current = await locate(client, upstream, repository, place);
  if (!current) return UPLOAD_UNKNOWN;
  if (current.offset === range.first) return current;
  return refuse(
    'BLOB_UPLOAD_INVALID',
    `the chunk begins at ${range.first}, the upload stands at ${current.offset}`,
    {
      status: 416,
      headers: { Range: printRange(current.offset) },
    },
  );
}

function printRange(offset: number): string {
  return `0-${Math.max(0, offset - 1)}`;
}

async function sendBody(
  { client, proxy }: UploadParts,
  repository: Repository,
  method: 'PATCH' | 'PUT',
  path: string,
  body: UploadBody,
  waitMsMax: number,
): Promise<{ readonly answer: WholeAnswer; readonly sentBytes: number } | Refusal> {
  const scopes = [scopeOf(repository, 'pull,push')];
  // A streamed body cannot be sent twice, so what the upstream wants must be known before.
  if (!client.signIn.isKnown()) await client.fetch({ method: 'GET', path: '/v2/', scopes: [] });
  const authorization = await client.signIn.authorizationFor(scopes);
  const outcome = await proxy.send({ method, path, authorization, body, waitMsMax });
  if (outcome.kind === 'body') return BODY_REFUSALS[outcome.problem];
  if (outcome.answer.status === 401) {
    client.signIn.learn(headerOf(outcome.answer, 'www-authenticate') ?? '', scopes);
    throw upstreamSignInFailed('it refuses the credential');
  }
  return outcome;
}

function progressOf(place: UploadPlace): UploadProgress {
  return { state: printState(place), offset: place.offset };
}
