/** A process that may write small files only: fills a larger one, and prints what its reader and its caller hear. */
import { Readable } from 'node:stream';
import { silentLogger, systemClock, systemRandom } from '../../src/base/index.ts';
import { openContent } from '../../src/content/index.ts';
import { receive, sha256Of } from '../content/bench.ts';

const directory = process.argv[2] ?? '';
const content = await openContent(
  { directory },
  { clock: systemClock, random: systemRandom, logger: silentLogger },
);
const bytes = Buffer.alloc(1_000_000, 1);
const fill = await content.fill(sha256Of(bytes), bytes.length, async () => Readable.from([bytes]));
const codeOf = (error: unknown): unknown =>
  error instanceof Error && 'code' in error ? error.code : String(error);
const reader = codeOf((await receive(fill.stream())).error);
const done = await fill.done.then(() => 'stored', codeOf);
process.stdout.write(JSON.stringify({ reader, done }));
