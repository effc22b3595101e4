import { parseLine } from './line.ts';
import { logDirectory } from './log-files.ts';
import { readPositions } from './positions.ts';

/**
 * Of the lines of a segment that lost its name, those that the log does not hold yet: they must be written again.
 *
 * @param bytes whole lines of one writer.
 */
export async function notInLog(directory: string, writer: string, bytes: Buffer): Promise<Buffer> {
  const taken = (await readPositions(logDirectory(directory))).get(writer)?.seq ?? 0;
  for (let at = 0; at < bytes.length; ) {
    const newline = bytes.indexOf(0x0a, at);
    const end = newline < 0 ? bytes.length : newline;
    // What is no line of ours cannot have been taken.
    if ((parseLine(bytes.subarray(at, end))?.seq ?? Number.POSITIVE_INFINITY) > taken)
      return bytes.subarray(at);
    at = end + 1;
  }
  return Buffer.alloc(0);
}
