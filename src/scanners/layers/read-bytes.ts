import { addAbortSignal, Readable } from 'node:stream';
import type { Bytes } from './unpack.ts';

/** Reads what a scan target opened; ends with the signal, since a source that has gone silent would never end. */
export async function* readBytes(stream: NodeJS.ReadableStream, ended: AbortSignal): Bytes {
  if (stream instanceof Readable) addAbortSignal(ended, stream);
  for await (const chunk of stream) yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
}
