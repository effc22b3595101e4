import assert from 'node:assert/strict';
import { utimesSync, writeFileSync } from 'node:fs';
import { HOUR_MS, SECOND_MS, systemClock, systemRandom } from '../../src/base/index.ts';
import { type Places, removeFile } from '../../src/content/files.ts';
import type { Digest } from '../../src/oci/index.ts';
import { type ContentBench, openBench, sha256Of } from './bench.ts';

describe('the removal of a stored file', () => {
  let bench: ContentBench;
  let places: Places;
  let digest: Digest;
  let path: string;
  const nowMs = systemClock.nowMs();
  const beforeMs = nowMs - HOUR_MS;
  const setTime = (ms: number): void => utimesSync(path, ms / SECOND_MS, ms / SECOND_MS);

  beforeEach(async () => {
    bench = await openBench();
    places = { directory: bench.directory, temporary: `${bench.directory}/tmp` };
    digest = sha256Of('content');
    path = bench.pathOf(digest);
    await bench.content.put(digest, Buffer.from('content'));
    setTime(nowMs - 2 * HOUR_MS);
  });
  afterEach(() => bench.close());

  /** Removes what is old; `meddle` is what another process does at the first look (0) or the second one (1). */
  const removeOld = (meddle: (look: number) => void): Promise<boolean> => {
    let looks = 0;
    return removeFile(places, systemRandom, digest, (found) => {
      const isOld = Number(found.mtimeMs) < beforeMs;
      meddle(looks);
      looks += 1;
      return isOld;
    });
  };

  it('takes what is old', async () => {
    assert.equal(await removeOld(() => {}), true);
    assert.equal(await bench.content.find(digest), undefined);
    assert.deepEqual(await bench.unfinished(), []);
  });

  it('is undone when a pusher was told that it is here just after the look at its age (F-53)', async () => {
    assert.equal(
      await removeOld((look) => {
        if (look === 0) setTime(nowMs);
      }),
      false,
    );
    assert.equal(String(await bench.content.read(digest, 100)), 'content');
    assert.equal(await bench.content.verify(digest), true);
    assert.deepEqual(await bench.unfinished(), []);
  });

  it('leaves what was published anew while the old one was aside (F-53)', async () => {
    await removeOld((look) => {
      if (look === 1) writeFileSync(path, 'content', { mode: 0o600 });
    });
    assert.equal(await bench.content.verify(digest), true);
    assert.deepEqual(await bench.unfinished(), []);
  });

  it('leaves what was published anew also when the one that is aside was renewed (F-53)', async () => {
    const removed = await removeOld((look) => {
      if (look === 0) setTime(nowMs);
      else writeFileSync(path, 'content', { mode: 0o600 });
    });
    assert.equal(removed, false);
    assert.equal(await bench.content.verify(digest), true);
    assert.deepEqual(await bench.unfinished(), []);
  });
});
