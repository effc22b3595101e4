import { pipeline, type Readable, Transform } from 'node:stream';
import { type Digest, type Refusal, type Repository, refuse } from '../oci/index.ts';
import { bodyLengthOf, faultFor, headerOf, refuseEncoding } from './answer.ts';
import type { Client } from './client.ts';
import { faultOf, upstreamBroken } from './faults.ts';
import { blobPath, scopeOf } from './paths.ts';
import { refusalFor } from './refusals.ts';

export async function findBlob(
  client: Client,
  repository: Repository,
  digest: Digest,
): Promise<{ readonly size: number } | undefined> {
  const path = blobPath(repository, digest);
  const head = await client.fetch({ method: 'HEAD', path, scopes: [scopeOf(repository, 'pull')] });
  if (head.status === 404) return undefined;
  if (head.status !== 200) throw faultFor(head);
  refuseEncoding(head);
  const size = headerOf(head, 'content-length');
  if (size === undefined || !/^\d{1,15}$/.test(size)) throw upstreamBroken('a blob without its size');
  return { size: Number(size) };
}

export async function openBlob(
  client: Client,
  repository: Repository,
  digest: Digest,
): Promise<{ readonly size: number; readonly stream: Readable } | undefined> {
  const path = blobPath(repository, digest);
  const answer = await client.open({ method: 'GET', path, scopes: [scopeOf(repository, 'pull')] });
  if (answer.status === 404) return undefined;
  if (!('body' in answer)) throw faultFor(answer);
  try {
    refuseEncoding(answer);
    // Chunked: only a HEAD tells the size, which is needed before the first byte is passed on.
    const size = bodyLengthOf(answer) ?? (await findBlob(client, repository, digest))?.size;
    if (size === undefined) throw upstreamBroken('a blob that is there and is not');
    return { size, stream: exactly(answer.body, size) };
  } catch (error) {
    answer.body.destroy();
    throw error;
  }
}

/**
 * Passes on exactly `size` bytes: one too many or an early end destroys the stream (threats, chapter 0.7).
 */
function exactly(body: Readable, size: number): Readable {
  let rest = size;
  const guard = new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      rest -= chunk.length;
      if (rest < 0) done(upstreamBroken('more bytes than the blob has'));
      else done(null, chunk);
    },
    flush(done) {
      done(rest === 0 ? null : upstreamBroken('fewer bytes than the blob has'));
    },
    // What breaks in the middle reaches the reader under our name.
    destroy: (error, done) => done(error && faultOf(error)),
  });
  // The reader sees every error on the stream itself.
  pipeline(body, guard, () => undefined);
  return guard;
}

export async function removeBlob(
  client: Client,
  repository: Repository,
  digest: Digest,
): Promise<Refusal | undefined> {
  const path = blobPath(repository, digest);
  const answer = await client.fetch({ method: 'DELETE', path, scopes: [scopeOf(repository, 'pull,delete')] });
  if (answer.status === 202 || answer.status === 200 || answer.status === 204) return undefined;
  return refusalFor(answer, {
    404: refuse('BLOB_UNKNOWN', 'this repository holds no such blob'),
    405: refuse('UNSUPPORTED', 'the registry behind this gateway does not allow blobs to be deleted'),
  });
}
