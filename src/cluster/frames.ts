import { MiB } from '../base/index.ts';
import { Fault } from '../oci/index.ts';

/** Larger than anything that is ever said (a report with very many findings), smaller than what would hurt. */
export const FRAME_BYTES_MAX = 8 * MiB;
const HEAD_BYTES = 4;

/**
 * One frame: the length of the body as four bytes, big-endian, and the body: JSON in UTF-8.
 *
 * @throws {Fault} DG_FRAME_TOO_LARGE: the value is larger than a frame may be.
 */
export function encodeFrame(value: object): Buffer {
  const body = Buffer.from(JSON.stringify(value), 'utf8');
  if (body.length > FRAME_BYTES_MAX) {
    const size = `${body.length} bytes, at most ${FRAME_BYTES_MAX}`;
    throw new Fault(
      'DG_FRAME_TOO_LARGE',
      'UNKNOWN',
      `a message between two processes is too large (${size})`,
    );
  }
  const frame = Buffer.allocUnsafe(HEAD_BYTES + body.length);
  frame.writeUInt32BE(body.length, 0);
  body.copy(frame, HEAD_BYTES);
  return frame;
}

/**
 * Cuts a stream of bytes into frames.
 *
 * @param onFrame gets each body as parsed JSON.
 * @returns the function to give every chunk to. It throws on a length over the bound and on what is no JSON; the
 *   connection is then to be closed, since nothing tells where the next frame begins.
 */
export function createFrameReader(onFrame: (value: unknown) => void): (chunk: Buffer | string) => void {
  let chunks: Buffer[] = [];
  let heldBytes = 0;
  let neededBytes = HEAD_BYTES;
  return (given) => {
    const chunk = typeof given === 'string' ? Buffer.from(given, 'utf8') : given;
    chunks.push(chunk);
    heldBytes += chunk.length;
    // Joined only when a frame is whole: joining at every chunk would copy a large frame a hundred times.
    while (heldBytes >= neededBytes) {
      const bytes = chunks.length === 1 ? (chunks[0] ?? chunk) : Buffer.concat(chunks, heldBytes);
      const bodyBytes = bytes.readUInt32BE(0);
      if (bodyBytes > FRAME_BYTES_MAX) throw new RangeError(`a frame of ${bodyBytes} bytes was announced`);
      const endsAt = HEAD_BYTES + bodyBytes;
      const isWhole = heldBytes >= endsAt;
      const rest = isWhole ? bytes.subarray(endsAt) : bytes;
      chunks = rest.length === 0 ? [] : [rest];
      heldBytes = rest.length;
      neededBytes = isWhole ? HEAD_BYTES : endsAt;
      if (isWhole) onFrame(JSON.parse(bytes.toString('utf8', HEAD_BYTES, endsAt)));
    }
  };
}
