import { algorithmOf, type Digest, parseDigest, type Refusal, refuse } from '../oci/index.ts';
import { errorOf, headerOf, type WholeAnswer } from './answer.ts';
import { upstreamBroken } from './faults.ts';
import type { BodyProblem } from './proxy.ts';
import { refusalFor } from './refusals.ts';

export const UPLOAD_UNKNOWN = refuse(
  'BLOB_UPLOAD_UNKNOWN',
  'this repository knows no such upload: begin it again',
);

/** What a client is told whose body went wrong on its way. */
export const BODY_REFUSALS: Readonly<Record<BodyProblem, Refusal>> = {
  cut: refuse('BLOB_UPLOAD_INVALID', 'the body of the upload broke off'),
  short: refuse('SIZE_INVALID', 'the body of the upload is shorter than announced'),
  long: refuse('SIZE_INVALID', 'the body of the upload is longer than announced'),
  stalled: refuse('BLOB_UPLOAD_INVALID', 'the body of the upload stood still for too long', { status: 408 }),
};

export function uploadRefusal(answer: WholeAnswer): Refusal {
  const { code } = errorOf(answer);
  if (code === 'DIGEST_INVALID') {
    return refuse('DIGEST_INVALID', 'the uploaded bytes do not have the digest that was given');
  }
  return refusalFor(answer, {
    400: refuse(
      code === 'SIZE_INVALID' ? code : 'BLOB_UPLOAD_INVALID',
      'the registry behind this gateway does not take the chunk',
    ),
    // docker-registry also says 404 to an upload that went on meanwhile (its code is BLOB_UPLOAD_INVALID).
    404: UPLOAD_UNKNOWN,
    413: refuse('SIZE_INVALID', 'the blob is larger than the registry behind this gateway takes', {
      status: 413,
    }),
    416: refuse('BLOB_UPLOAD_INVALID', 'the chunk is out of order', { status: 416 }),
  });
}

/**
 * Bytes received so far, by the answer's Range. `0-0` is what an empty upload and one of a single byte both
 * say: there what we know decides. zot says `0--1` of an empty one.
 */
export function offsetIn(answer: WholeAnswer, known: number): number {
  const range = headerOf(answer, 'range');
  if (range === undefined) return known;
  if (range === '0--1') return 0;
  const last = /^(?:bytes[ =])?0-(\d{1,15})$/.exec(range)?.[1];
  if (last === undefined) throw upstreamBroken('a malformed Range');
  return last === '0' ? Math.min(known, 1) : Number(last) + 1;
}

/** @throws {UpstreamUnavailable} the upstream stored the blob under another digest than it was told. */
export function refuseOtherDigest(answer: WholeAnswer, digest: Digest): void {
  const header = headerOf(answer, 'docker-content-digest');
  if (header === undefined) return;
  const stated = parseDigest(header);
  if (!stated) throw upstreamBroken('a malformed Docker-Content-Digest');
  if (algorithmOf(stated) === algorithmOf(digest) && stated !== digest) {
    throw upstreamBroken('another digest than that of the blob');
  }
}
