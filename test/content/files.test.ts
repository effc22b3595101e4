import assert from 'node:assert/strict';
import { mkdir, readdir, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { systemRandom } from '../../src/base/index.ts';
import { pathOf } from '../../src/content/files.ts';
import { digestOf, sweepTemporary } from '../../src/content/index.ts';
import { parseDigest } from '../../src/oci/index.ts';
import { type ContentBench, createFeed, listed, openBench, sha256Of } from './bench.ts';

describe('the content store', () => {
  let bench: ContentBench;
  beforeEach(async () => {
    bench = await openBench();
  });
  afterEach(() => bench.close());

  it('keeps nothing that is not what its digest says', async () => {
    const mismatch = { code: 'DG_CONTENT_MISMATCH' };
    await assert.rejects(bench.content.put(sha256Of('a'), Buffer.from('b')), mismatch);
    assert.equal(await bench.content.find(sha256Of('a')), undefined);
    assert.deepEqual(await bench.unfinished(), []);
  });

  it('takes over a finished file, and says when it cannot', async () => {
    const path = join(dirname(bench.directory), 'upload');
    await writeFile(path, 'uploaded');
    await utimes(path, 1, 1);
    await bench.content.adopt(path, sha256Of('uploaded'));
    assert.deepEqual(await bench.content.find(sha256Of('uploaded')), { size: 8 });
    // Whose last byte came long ago is young all the same: garbage collection must wait for its link.
    assert.equal(await bench.content.remove(sha256Of('uploaded'), 1_000_000), false);
    await assert.rejects(stat(path), { code: 'ENOENT' });
    await assert.rejects(bench.content.adopt(path, sha256Of('uploaded')), { code: 'DG_CONTENT_UNAVAILABLE' });
  });

  it('is for its own user alone, whatever the umask is (S-01)', async () => {
    for (const umask of [0o000, 0o777]) {
      const before = process.umask();
      const other = await openBench(umask);
      try {
        await other.content.put(sha256Of('put'), Buffer.from('put'));
        await other.content.put(digestOf(Buffer.from('put'), 'sha512'), Buffer.from('put'));
        const feed = createFeed();
        const fill = await other.content.fill(sha256Of('fill'), 4, async () => feed.stream);
        feed.send('fill');
        feed.end();
        const unfinished = await other.unfinished();
        assert.equal(unfinished.length, 1);
        await fill.done;
        const open = createFeed();
        await other.content.fill(sha256Of('open'), 4, async () => open.stream);
        const entries = await readdir(other.directory, { recursive: true, withFileTypes: true });
        assert.ok(entries.length > 8);
        for (const entry of entries) {
          // A claim, which leads nowhere.
          if (entry.isSymbolicLink()) continue;
          const { mode } = await stat(join(entry.parentPath, entry.name));
          assert.equal(mode & 0o777, entry.isDirectory() ? 0o700 : 0o600, entry.name);
        }
        open.cut();
      } finally {
        process.umask(before);
        await other.close();
      }
    }
  });

  it('mends the mode of directories that somebody opened', async () => {
    await mkdir(join(bench.directory, 'sha256'), { recursive: true, mode: 0o777 });
    await bench.reopen();
    assert.equal((await stat(join(bench.directory, 'sha256'))).mode & 0o777, 0o700);
  });

  it('makes a path of nothing but a parsed digest (N-09)', () => {
    const places = { directory: '/content', temporary: '/content/tmp' };
    const hostile = fc.oneof(
      fc.string(),
      fc.constantFrom('../../../etc/passwd', '..%2f..', '../', `${'a'.repeat(64)}/..`, `${'A'.repeat(64)}`),
      fc.stringMatching(/^[a-f0-9./]{60,70}$/),
    );
    fc.assert(
      fc.property(fc.constantFrom('sha256', 'sha512', 'sha1', ''), hostile, (algorithm, text) => {
        const digest = parseDigest(`${algorithm}:${text}`);
        return (
          digest === undefined ||
          /^\/content\/sha(256|512)\/[a-f0-9]{2}\/[a-f0-9]+$/.test(pathOf(places, digest))
        );
      }),
    );
    assert.equal(pathOf(places, sha256Of('')), `/content/sha256/e3/${sha256Of('').slice(7)}`);
  });

  it('sweeps what crashed processes left, and leaves what is being written (F-23)', async () => {
    const temporary = join(bench.directory, 'tmp');
    const old = new Date(1_000_000);
    const secret = join(dirname(bench.directory), 'secret');
    await writeFile(secret, 'secret');
    await writeFile(join(temporary, 'left'), 'half a blo');
    await utimes(join(temporary, 'left'), old, old);
    await symlink(secret, join(temporary, 'link'));
    const feed = createFeed();
    const fill = await bench.content.fill(sha256Of('new'), 3, async () => feed.stream);
    assert.equal(await sweepTemporary(bench.directory, 2_000_000), 1);
    assert.equal((await bench.unfinished()).length, 2);
    feed.send('new');
    feed.end();
    await fill.done;
    assert.equal(await sweepTemporary(bench.directory, Date.now() + 60_000), 1);
    assert.equal((await stat(secret)).size, 6);
    assert.deepEqual(await bench.content.find(sha256Of('new')), { size: 3 });
  });

  it('lists what it holds, and nothing that lies beside it', async () => {
    const wide = digestOf(Buffer.from('wide'), 'sha512');
    await bench.content.put(sha256Of('one'), Buffer.from('one'));
    await bench.content.put(wide, Buffer.from('wide'));
    const shard = dirname(bench.pathOf(sha256Of('one')));
    await writeFile(join(bench.directory, 'sha256', 'lost'), '');
    await writeFile(join(shard, 'x'), '');
    await symlink(join(shard, 'x'), bench.pathOf(sha256Of('link'))).catch(() => {});
    // A name that is a digest, in the directory of another.
    await writeFile(join(dirname(bench.pathOf(wide)), sha256Of('stray').slice(7)), '');
    const all = await listed(bench.content);
    assert.deepEqual(
      all.map(({ digest, size }) => [digest, size]).sort(),
      [
        [sha256Of('one'), 3],
        [wide, 4],
      ].sort(),
    );
    assert.ok(all.every(({ modifiedAtMs }) => Math.abs(modifiedAtMs - Date.now()) < 60_000));
  });

  it('removes once, and only what was not renewed since', async () => {
    const digest = sha256Of('gone');
    await bench.content.put(digest, Buffer.from('gone'));
    const path = bench.pathOf(digest);
    await utimes(path, 1, 1);
    assert.deepEqual(await bench.content.renew(digest), { size: 4 });
    assert.equal(await bench.content.remove(digest, 10_000), false);
    await utimes(path, 1, 1);
    assert.equal(await bench.content.remove(digest, 10_000), true);
    assert.equal(await bench.content.remove(digest), false);
    assert.equal(await bench.content.renew(digest), undefined);
    assert.equal(await bench.content.read(digest, 10), undefined);
    assert.deepEqual(await bench.unfinished(), []);
  });

  it('puts again what another process removed', async () => {
    const digest = sha256Of('again');
    await bench.content.put(digest, Buffer.from('again'));
    await (await bench.reopen()).remove(digest);
    await bench.content.put(digest, Buffer.from('again'));
    assert.deepEqual(await bench.content.find(digest), { size: 5 });
  });

  it('leaves no moment in which a file that is put again and again is partly there', async () => {
    const bytes = Buffer.from(systemRandom.bytes(50_000));
    const digest = sha256Of(bytes);
    const [writer, reader] = [await bench.reopen(), await bench.reopen()];
    let isWriting = true;
    const writing = (async () => {
      for (let time = 0; time < 40; time += 1) {
        await writer.put(digest, bytes);
        await writer.remove(digest);
      }
      isWriting = false;
    })();
    while (isWriting) {
      const found = await reader.find(digest);
      assert.ok(found === undefined || found.size === bytes.length);
    }
    await writing;
    assert.deepEqual(bench.errors, []);
  });
});
