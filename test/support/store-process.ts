import { createInterface } from 'node:readline';
import { silentLogger } from '../../src/base/index.ts';
import { openStoreReads } from '../../src/store/index.ts';
import { digestOf, image, repository, tag } from '../contracts/store-bench.ts';
import { openAt } from '../store/bench.ts';

/**
 * A process of its own for the tests of the store: `write DIR` pushes image after image and prints the number of each
 * when it is acknowledged; `read DIR` answers each line, a tag, with the tag's digest.
 */
const [mode, directory] = process.argv.slice(2);
if (directory === undefined) throw new Error('usage: store-process.ts write|read DIR');

const APP = repository('team/app');

if (mode === 'write') {
  const store = await openAt(directory);
  for (let at = 0; ; at++) {
    const names = [`a${at}`, `b${at}`, `c${at}`];
    for (const name of [...names, `a${at}-config`]) {
      const blob = { repository: APP, digest: digestOf(name), size: 1 };
      await store.links.linkBlob({ ...blob, owner: 'pending', untilMs: 1e15 });
    }
    await store.links.linkManifest({
      repository: APP,
      digest: digestOf(`m${at}`),
      size: 1,
      manifest: image(names),
      tags: ['x', 'y', 'z'].map((name) => tag(`${name}${at}`)),
      tagRights: { mayCreate: true, mayOverwrite: true },
      requireContent: true,
      nowMs: 0,
    });
    process.stdout.write(`${at}\n`);
  }
} else {
  const store = await openStoreReads({ directory }, { logger: silentLogger });
  process.stdout.write('open\n');
  for await (const line of createInterface({ input: process.stdin })) {
    process.stdout.write(`${(await store.links.findTag(APP, tag(line))) ?? 'none'}\n`);
  }
  await store.close();
}
