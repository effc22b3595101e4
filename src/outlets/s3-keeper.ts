import { AwsV4Signer } from 'aws4fetch';
import { createPoster, NotTaken } from './http-post.ts';
import type { HeadNote, Keeper } from './witness.ts';

export interface S3KeeperOptions {
  /** The bucket with a prefix: `https://s3.corp/bucket/dockgate`. */
  readonly url: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** PEM of the CA to trust in place of the system's. */
  readonly ca?: string;
}

const PRECONDITION_FAILED = 412;
/** A size is at most 16 digits: names sort as the log grows. */
const DIGITS = 16;

/**
 * Puts each checkpoint as an object of its own, signed with AWS Signature Version 4. `If-None-Match: *` lets no object
 * be replaced; a bucket with object lock lets none be removed either, and the key needs no right but `s3:PutObject`.
 */
export function createS3Keeper(options: S3KeeperOptions): Keeper {
  const { url, ca, accessKeyId, secretAccessKey, region } = options;
  const poster = createPoster({ url, ...(ca === undefined ? {} : { ca }) });
  return {
    async keep(head, signal) {
      const signer = new AwsV4Signer({
        ...{ accessKeyId, secretAccessKey, region, service: 's3', method: 'PUT', body: head.note },
        url: `${url.replace(/\/+$/, '')}/${nameOf(head)}`,
        headers: { 'content-type': 'text/plain; charset=utf-8', 'if-none-match': '*' },
      });
      const signed = await signer.sign();
      const way = { method: 'PUT', url: signed.url.href } as const;
      try {
        await poster.post(head.note, Object.fromEntries(signed.headers), signal, way);
      } catch (error) {
        // It is there: an answer was lost, or the server was started anew.
        if (!(error instanceof NotTaken && error.status === PRECONDITION_FAILED)) throw error;
      }
    },
    close: () => poster.close(),
  };
}

/** One name a checkpoint: another history of the same size is another object beside it. */
function nameOf({ origin, size, note }: HeadNote): string {
  const root = Buffer.from(note.split('\n')[2] ?? '', 'base64')
    .toString('hex')
    .slice(0, 16);
  return `${origin}/${String(size).padStart(DIGITS, '0')}-${root}`;
}
