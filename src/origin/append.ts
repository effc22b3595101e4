import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { MiB } from '../base/index.ts';
import { ContentUnavailable, orUnavailable, type UploadBody } from '../content/index.ts';
import { type Refusal, refuse } from '../oci/index.ts';

const FLAGS = constants.O_WRONLY | constants.O_APPEND | constants.O_NOFOLLOW;

/** What one principal's unfinished uploads may hold together (threat P-21). */
export interface OwnersShare {
  /** Below 0: there is too much already. */
  bytesLeft(): Promise<number>;
  readonly refusal: Refusal;
}

const LOOK_EVERY_BYTES = 16 * MiB;

/**
 * Appends the body of one request to the upload's file.
 *
 * A chunk that does not begin where the upload ends is refused with 416 and changes nothing. One whose length is not
 * what its headers say is taken back. What has arrived when the client hangs up stays: it asks where the upload
 * stands and goes on.
 *
 * @returns the upload's new size in bytes.
 * @throws {ContentUnavailable} the disk refused; what it took stays.
 * @see OCI distribution-spec 1.1, "Pushing a blob in chunks"; threat P-20
 */
export async function appendChunk(
  path: string,
  body: UploadBody,
  share: OwnersShare,
): Promise<number | Refusal> {
  const file = await orUnavailable(open(path, FLAGS));
  try {
    const before = (await orUnavailable(file.stat())).size;
    return checkChunk(body, before) ?? (await appendTo(file, before, { body, share }));
  } finally {
    await file.close();
  }
}

function checkChunk({ range, contentLength }: UploadBody, before: number): Refusal | undefined {
  if (range && contentLength !== undefined && contentLength !== lengthOf(range)) {
    return refuse('SIZE_INVALID', 'dockgate: Content-Range and Content-Length of the chunk disagree');
  }
  if (!range || range.first === before) return undefined;
  return outOfOrder(before, `dockgate: the upload stands at ${before} bytes, not at ${range.first}`);
}

/** @param offset where the upload stands, for the client to go on from there. */
export function outOfOrder(offset: number, message: string): Refusal {
  const headers = { range: `0-${Math.max(0, offset - 1)}` };
  return refuse('BLOB_UPLOAD_INVALID', message, { status: 416, headers });
}

async function appendTo(
  file: FileHandle,
  before: number,
  { body, share }: { readonly body: UploadBody; readonly share: OwnersShare },
): Promise<number | Refusal> {
  const { range } = body;
  const stated = range ? lengthOf(range) : undefined;
  const left = await share.bytesLeft();
  const room = body.room?.bytesMax ?? left;
  const most = Math.min(room, left);
  const copied = await copy(body, file, { bytesMax: Math.min(most, stated ?? most), share });
  if (copied.ending === 'cut') {
    return refuse('BLOB_UPLOAD_INVALID', 'dockgate: the connection ended in the middle of the chunk');
  }
  if (copied.ending === 'whole' && (stated === undefined || copied.received === stated)) {
    return before + copied.received;
  }
  await orUnavailable(file.truncate(before));
  if (copied.ending === 'crowded' || copied.received > left) return share.refusal;
  if (body.room && copied.received > room) return body.room.refusal;
  const arrived = copied.ending === 'long' ? 'more' : 'less';
  return refuse('SIZE_INVALID', `dockgate: ${arrived} than the ${stated} bytes of Content-Range arrived`);
}

interface Copied {
  readonly received: number;
  readonly ending: 'whole' | 'cut' | 'long' | 'crowded';
}

/** Stops reading beyond `bytesMax`, and leaves the rest of the request to who answers it. */
async function copy(
  { request }: UploadBody,
  file: FileHandle,
  { bytesMax, share }: { readonly bytesMax: number; readonly share: OwnersShare },
): Promise<Copied> {
  let received = 0;
  let lookAt = LOOK_EVERY_BYTES;
  try {
    // Not destroyed, whatever happens here: the client is to read the answer.
    const chunks: AsyncIterable<Uint8Array> = request.iterator({ destroyOnReturn: false });
    for await (const chunk of chunks) {
      received += chunk.length;
      if (received > bytesMax) return { received, ending: 'long' };
      if (received > lookAt) {
        // Other uploads of the owner grow beside this one.
        if ((await share.bytesLeft()) < 0) return { received, ending: 'crowded' };
        lookAt += LOOK_EVERY_BYTES;
      }
      await orUnavailable(file.appendFile(chunk));
    }
    return { received, ending: 'whole' };
  } catch (error) {
    if (error instanceof ContentUnavailable) throw error;
    // Any other error is the connection's.
    return { received, ending: 'cut' };
  }
}

function lengthOf(range: { readonly first: number; readonly last: number }): number {
  return range.last - range.first + 1;
}
