/**
 * A process that works on the uploads of a data directory until it is killed.
 *
 * `hold DIR STATE`: takes the upload for itself, adds `half` to it, prints `held` and keeps it.
 * `push DIR ROUND`: pushes image after image, and prints a line of JSON before and after each step.
 */
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemRandom } from '../../src/base/index.ts';
import { createUploadFiles } from '../../src/origin/upload-files.ts';
import {
  accepted,
  append,
  digestIn,
  finish,
  pushManifest,
  repositoryOf,
  tagOf,
} from '../contracts/source-bench.ts';
import { openOriginAt } from '../origin/bench.ts';
import { blobsOf, imageOf, type PushEvent } from '../origin/pushed-image.ts';

const [mode, directory = '', argument = ''] = process.argv.slice(2);

function tell(event: PushEvent): void {
  // A pipe is written to synchronously: what was told before the kill arrives.
  process.stdout.write(`${JSON.stringify(event)}\n`);
}

async function hold(): Promise<void> {
  const options = { directory: join(directory, 'uploads'), sessionsMax: 10, unfinishedBytesMax: 1e9 };
  await createUploadFiles(options, systemRandom).hold(argument, async (path) => {
    await appendFile(path, 'half');
    process.stdout.write('held\n');
    await new Promise((resolve) => process.stdin.once('end', resolve).resume());
  });
}

async function push(): Promise<void> {
  const bench = await openOriginAt(directory);
  const repository = repositoryOf('crash/app');
  tell({ kind: 'ready' });
  for (let count = 0; ; count += 1) {
    const name = `${argument}-${count}`;
    const image = await imageOf(name);
    for (const { bytes } of blobsOf(image)) {
      const digest = digestIn(bytes);
      const { state } = accepted(await bench.source.startUpload(repository, 'sha256', name));
      tell({ kind: 'begun', name, digest, state });
      const half = Math.floor(bytes.length / 2);
      accepted(await append(bench, repository, state, { chunks: [bytes.subarray(0, half)] }));
      accepted(await finish(bench, repository, state, digest, { chunks: [bytes.subarray(half)] }));
      tell({ kind: 'stored', name, digest });
    }
    tell({ kind: 'tagging', name, digest: image.digest });
    await pushManifest(bench, repository, image, [tagOf('v')]);
    tell({ kind: 'tagged', name, digest: image.digest });
  }
}

await (mode === 'hold' ? hold() : push());
