import type { UploadBody } from '../content/index.ts';
import { Fault, type Refusal, refuse } from '../oci/index.ts';
import type { UploadFiles } from './upload-files.ts';

/** The client hung up in the middle of a chunk; what arrived is kept. */
class UploadCut extends Fault {
  constructor(cause: unknown) {
    super(
      'DG_UPLOAD_CUT',
      'BLOB_UPLOAD_INVALID',
      'dockgate: the connection ended in the middle of the chunk',
      cause,
    );
  }
}

/**
 * Appends the body of one request.
 *
 * A chunk that does not begin where the upload ends is refused with 416 and changes nothing. One whose length is not
 * what its headers say is taken back.
 *
 * @returns the upload's new size in bytes.
 * @see OCI distribution-spec 1.1, "Pushing a blob in chunks"; threat P-20
 */
export async function appendChunk(
  uploads: UploadFiles,
  state: string,
  body: UploadBody,
): Promise<number | Refusal> {
  const before = (await uploads.sizeOf(state)) ?? 0;
  if (body.range && body.range.first !== before) {
    return refuse(
      'BLOB_UPLOAD_INVALID',
      `dockgate: the upload stands at ${before} bytes, not at ${body.range.first}`,
      {
        status: 416,
        headers: { range: `0-${Math.max(0, before - 1)}` },
      },
    );
  }
  if (body.contentLength === 0) return before;
  const { size, received } = await uploads.append(state, body.request).catch((error: unknown) => {
    throw error instanceof Fault ? error : new UploadCut(error);
  });
  const stated = body.range ? body.range.last - body.range.first + 1 : received;
  if (received === stated) return size;
  await uploads.truncate(state, before);
  return refuse('SIZE_INVALID', `dockgate: ${received} bytes arrived where Content-Range says ${stated}`);
}
