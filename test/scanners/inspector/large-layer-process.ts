/**
 * Inspects one layer of 1 GiB that is made as it is read, and prints what that took as JSON. With the argument `gzip`
 * the layer is compressed: one member of RFC 1952 after the other.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { GiB, KiB, MiB } from '../../../src/base/index.ts';
import { buildImage, buildTar } from '../../support/image.ts';
import { openInspector, targetOf } from './scanning.ts';

const PIECE_BYTES = 64 * KiB;
/** Of a tar archive: a header, and two empty blocks behind the last file. */
const HEADER_BYTES = 512;
const END_BYTES = 1024;

/** The same file of 1 MiB, header included, again and again. */
const archive = Buffer.from(await buildTar([{ path: 'srv/file', data: randomBytes(MiB - HEADER_BYTES) }]));
const isCompressed = process.argv.includes('gzip');
const stored = (bytes: Buffer) => (isCompressed ? gzipSync(bytes, { level: 1 }) : bytes);
const file = stored(archive.subarray(0, MiB));

/** Of this program: what getrusage says counts the process that started it as well, up to its exec. @see proc(5) */
function peakKiB(): number {
  const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  if (peak === undefined) throw new Error('/proc/self/status has no VmHWM');
  return Number(peak);
}

async function* layer(): AsyncGenerator<Buffer> {
  for (let count = 0; count < GiB / MiB; count += 1) {
    // Copies, as what a disk or the network brings is none of what came before.
    for (let at = 0; at < file.length; at += PIECE_BYTES)
      yield Buffer.from(file.subarray(at, at + PIECE_BYTES));
  }
  yield stored(Buffer.alloc(END_BYTES));
}

const image = await buildImage({ compression: isCompressed ? 'gzip' : 'none' });
const target = targetOf(image);
const inspector = openInspector();
const before = process.memoryUsage.rss();
const startedMs = performance.now();
const report = await inspector.scan(
  {
    ...target,
    openBlob: async (blob) =>
      blob.digest === image.layers[0]?.digest
        ? Readable.from(layer(), { objectMode: false })
        : target.openBlob(blob),
  },
  new AbortController().signal,
);
const seconds = (performance.now() - startedMs) / 1000;
await inspector.close();
const memoryMiB = Math.round(peakKiB() / 1024);
const grownMiB = Math.round(memoryMiB - before / MiB);
const { status, reason } = report.scan;
console.log(
  JSON.stringify({ status, reason, memoryMiB, grownMiB, mibPerSecond: Math.round(GiB / MiB / seconds) }),
);
