import type { IncomingMessage } from 'node:http';
import { Fault } from '../oci/index.ts';

const BODY_METHODS: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);

/**
 * Whether a request frames a body that its method must not have. A body on GET, HEAD, DELETE or OPTIONS is how a
 * second request is smuggled past a gateway. @see threats 0.1, H-19, H-20
 */
export function hasForbiddenBody(request: IncomingMessage): boolean {
  if (BODY_METHODS.has(request.method ?? '')) return false;
  const length = request.headers['content-length'];
  return request.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
}

/**
 * Reads a bounded body whole.
 *
 * @returns `undefined` as soon as it is longer than `bytesMax`; at most one chunk more has been read.
 * @throws {ClientGone} the connection ended before the body did.
 */
export async function readBody(request: IncomingMessage, bytesMax: number): Promise<Uint8Array | undefined> {
  if (Number(request.headers['content-length'] ?? 0) > bytesMax) return undefined;
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    // Not destroyed, whatever happens here: the client is to read the answer.
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      bytes += chunk.length;
      if (bytes > bytesMax) return undefined;
      chunks.push(chunk);
    }
  } catch (error) {
    throw new ClientGone(error);
  }
  return Buffer.concat(chunks);
}

/** Nobody will read the answer; the record says what became of the request. */
class ClientGone extends Fault {
  constructor(cause: unknown) {
    super(
      'DG_CLIENT_GONE',
      'MANIFEST_INVALID',
      'dockgate: the connection ended in the middle of the body',
      cause,
    );
  }
}
