import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, lstat, mkdir, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemRandom } from '../../src/base/index.ts';
import { createOrigin, sweepUploads } from '../../src/origin/index.ts';
import { isAlive, ownProcess } from '../../src/origin/process-identity.ts';
import { until } from '../cluster/until.ts';
import { openFilesBelow } from '../content/bench.ts';
import {
  accepted,
  append,
  digestIn,
  finish,
  pushBlob,
  pushImage,
  pushManifest,
  refused,
  repositoryOf,
  tagOf,
} from '../contracts/source-bench.ts';
import { buildImage } from '../support/image.ts';
import { receiveUpload } from '../support/upload-body.ts';
import { type OriginUnderTest, openOrigin, SESSIONS_MAX } from './bench.ts';

const repository = repositoryOf('team/app');

describe('an upload to the embedded registry', () => {
  let bench: OriginUnderTest;
  beforeEach(async () => {
    bench = await openOrigin();
  });
  afterEach(async () => {
    await until(async () => (await openFilesBelow(join(bench.directory, 'uploads'))).length === 0);
    await bench.close();
  });

  const uploads = (): string => join(bench.directory, 'uploads');
  const start = async (startedBy = 'u1'): Promise<string> =>
    accepted(await bench.source.startUpload(repository, 'sha256', startedBy)).state;
  const folderOf = (state: string): string => join(uploads(), ...state.split('.'));
  const offsetOf = async (state: string): Promise<number | undefined> =>
    (await bench.source.findUpload(repository, state))?.offset;
  const filesLeft = async (): Promise<readonly string[]> =>
    (await readdir(uploads(), { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile())
      .map((entry) => entry.name);

  it('P-21: takes so many bytes into the unfinished uploads of one principal, whatever their length says', async () => {
    const small = bench.sourceWith({ unfinishedBytesMax: 10 });
    const grow = async (state: string, text: string, contentLength?: number) => {
      const length = contentLength === undefined ? {} : { contentLength };
      const received = await receiveUpload({ chunks: [text], ...length });
      const appended = await small.appendUpload(repository, state, received.body);
      received.close();
      return appended;
    };
    const [first, second, other] = [await start(), await start(), await start('u2')];
    assert.equal(accepted(await grow(first, 'abcdef', 6)).offset, 6);
    for (const contentLength of [5, undefined]) {
      const refusal = refused(await grow(second, 'ghijk', contentLength));
      assert.deepEqual([refusal.code, refusal.status], ['DENIED', 413]);
      assert.match(
        refusal.message,
        /^dockgate: your unfinished uploads may hold 10 bytes: finish or cancel some/,
      );
      assert.equal(await offsetOf(second), 0);
    }
    assert.equal(accepted(await grow(other, 'ghijk', 5)).offset, 5);
    assert.equal(await small.cancelUpload(repository, first), true);
    assert.equal(accepted(await grow(second, 'ghijk', 5)).offset, 5);
  });

  it('takes no more of a body than there is room for, and goes back to where it stood', async () => {
    const state = await start();
    const refusal = { code: 'DENIED', status: 413, message: 'dockgate: full' } as const;
    const grow = async (text: string, bytesMax: number) => {
      const received = await receiveUpload({ chunks: [text] });
      const body = { ...received.body, room: { bytesMax, refusal } };
      const appended = await bench.source.appendUpload(repository, state, body);
      received.close();
      return appended;
    };
    assert.equal(accepted(await grow('abcd', 4)).offset, 4);
    assert.deepEqual(refused(await grow('efgh', 3)), refusal);
    assert.equal(await offsetOf(state), 4);
  });

  it('keeps what arrived when the client is cut off in the middle of a chunk, and goes on from there', async () => {
    for (const contentLength of [{ contentLength: 10 }, {}]) {
      const state = await start();
      const cut = await receiveUpload({ chunks: ['abcd'], ...contentLength, ending: 'open' });
      const appending = bench.source.appendUpload(repository, state, cut.body);
      await until(async () => (await offsetOf(state)) === 4);
      cut.close();
      const refusal = refused(await appending);
      assert.deepEqual([refusal.code, refusal.status], ['BLOB_UPLOAD_INVALID', 400]);
      assert.equal(await offsetOf(state), 4);
      const rest = { chunks: ['efghij'], contentLength: 6, range: { first: 4, last: 9 } };
      accepted(await append(bench, repository, state, rest));
      assert.deepEqual(await finish(bench, repository, state, digestIn('abcdefghij')), { size: 10 });
    }
  });

  it('takes a chunk back that is not as long as its range says, and stops reading one that is longer (P-20)', async () => {
    const state = await start();
    accepted(await append(bench, repository, state, { chunks: ['abc'] }));
    const short = { chunks: ['de'], range: { first: 3, last: 9 } };
    assert.equal(refused(await append(bench, repository, state, short)).code, 'SIZE_INVALID');
    assert.equal(await offsetOf(state), 3);
    // The body never ends: only who stops at what was stated gives an answer.
    const endless = await receiveUpload({
      chunks: ['de', 'fgh'],
      range: { first: 3, last: 4 },
      ending: 'open',
    });
    const refusal = refused(await bench.source.appendUpload(repository, state, endless.body));
    assert.equal(refusal.code, 'SIZE_INVALID');
    assert.equal(endless.request.destroyed, false, 'the client could not read the answer');
    endless.close();
    assert.equal(await offsetOf(state), 3);
  });

  it('drops what has another digest than was said, and its place', async () => {
    const state = await start();
    accepted(await append(bench, repository, state, { chunks: ['one thing'] }));
    const refusal = refused(await finish(bench, repository, state, digestIn('another')));
    assert.equal(refusal.code, 'DIGEST_INVALID');
    assert.ok(refusal.message.includes(digestIn('one thing')));
    assert.equal(await offsetOf(state), undefined);
    assert.deepEqual(await filesLeft(), []);
  });

  it('has one writer at a time: a second chunk at once is refused and changes nothing (P-20)', async () => {
    const state = await start();
    const first = await receiveUpload({ chunks: ['abc'], ending: 'open' });
    const appending = bench.source.appendUpload(repository, state, first.body);
    await until(async () => (await offsetOf(state)) === 3);
    for (const attempt of [
      append(bench, repository, state, { chunks: ['xyz'] }),
      finish(bench, repository, state, digestIn('abc')),
    ]) {
      const refusal = refused(await attempt);
      assert.deepEqual([refusal.code, refusal.status], ['BLOB_UPLOAD_INVALID', 416]);
    }
    first.close();
    refused(await appending);
    assert.deepEqual(await finish(bench, repository, state, digestIn('abc')), { size: 3 });
  });

  it('is refused while another process writes to it, and taken over when that one has died', async () => {
    const state = await start();
    const other = await holdInOtherProcess(bench.directory, state);
    try {
      assert.equal(await offsetOf(state), 4);
      const refusal = refused(await append(bench, repository, state, { chunks: ['x'] }));
      assert.equal(refusal.status, 416);
    } finally {
      await kill(other);
    }
    // Many at once: one takes it over.
    const attempts = await Promise.all(
      ['1', '2', '3', '4', '5', '6'].map((text) => append(bench, repository, state, { chunks: [text] })),
    );
    const taken = attempts.filter((attempt) => !('code' in attempt));
    assert.ok(taken.length >= 1);
    assert.equal(await offsetOf(state), 4 + taken.length);
    const text = await readFile(join(folderOf(state), 'data'), 'utf8');
    assert.match(text, /^half[1-6]+$/);
    assert.deepEqual(await finish(bench, repository, state, digestIn(text)), { size: text.length });
  });

  it('may be cancelled while a chunk comes in, which then belongs to nothing', async () => {
    const state = await start();
    const body = await receiveUpload({ chunks: ['abc'], ending: 'open' });
    const appending = bench.source.appendUpload(repository, state, body.body);
    await until(async () => (await offsetOf(state)) === 3);
    assert.equal(await bench.source.cancelUpload(repository, state), true);
    body.close();
    await appending;
    assert.equal(await offsetOf(state), undefined);
    assert.deepEqual(await filesLeft(), []);
  });

  it('lies in no file that others may read, whatever the umask is (S-01)', async () => {
    const before = process.umask(0);
    try {
      await start();
    } finally {
      process.umask(before);
    }
    assert.equal((await stat(uploads())).mode & 0o777, 0o700);
    for (const entry of await readdir(uploads(), { recursive: true, withFileTypes: true })) {
      const { mode } = await lstat(join(entry.parentPath, entry.name));
      assert.equal(mode & 0o777, entry.isDirectory() ? 0o700 : 0o600);
    }
  });

  it('is one of a number that each principal may have open (P-21)', async () => {
    const states: string[] = [];
    for (let count = 0; count < SESSIONS_MAX; count += 1) states.push(await start('u1'));
    const refusal = refused(await bench.source.startUpload(repository, 'sha256', 'u1'));
    assert.deepEqual([refusal.code, refusal.status], ['TOOMANYREQUESTS', 429]);
    assert.ok(Number(refusal.headers?.['retry-after']) > 0);
    await start('u2');
    await start('../u1');
    const [first = '', second = ''] = states;
    await bench.source.cancelUpload(repository, first);
    accepted(await append(bench, repository, second, { chunks: ['x'] }));
    accepted(await finish(bench, repository, second, digestIn('x')));
    await start('u1');
    await start('u1');
    refused(await bench.source.startUpload(repository, 'sha256', 'u1'));
  });

  it('ends when nothing was added to it for too long, with what a crash left of others', async () => {
    const [old, young, held] = [await start(), await start(), await start('u2')];
    await kill(await holdInOtherProcess(bench.directory, held));
    const empty = join(uploads(), 'ff'.repeat(8), 'a'.repeat(26));
    await mkdir(empty, { recursive: true });
    for (const folder of [folderOf(old), folderOf(held), empty]) {
      for (const name of await readdir(folder)) await utimes(join(folder, name), 1, 1);
      await utimes(folder, 1, 1);
    }
    // Its directory is old, its last byte is not.
    await utimes(folderOf(young), 1, 1);
    assert.equal(await sweepUploads(uploads(), 1_000_000), 3);
    assert.equal(await offsetOf(old), undefined);
    assert.equal(await offsetOf(held), undefined);
    assert.equal(await offsetOf(young), 0);
    assert.deepEqual(await readdir(uploads()), [young.slice(0, 16)]);
    assert.equal(await sweepUploads(join(bench.directory, 'absent'), 1_000_000), 0);
  });

  it('is a fault when the disk refuses, not an end of the upload', async () => {
    const state = await start();
    accepted(await append(bench, repository, state, { chunks: ['abc'] }));
    const content = join(bench.directory, 'content', 'sha256');
    await rm(content, { recursive: true });
    await writeFile(content, 'no directory');
    await assert.rejects(finish(bench, repository, state, digestIn('abc')), {
      code: 'DG_CONTENT_UNAVAILABLE',
      status: 503,
    });
    assert.equal(await offsetOf(state), 3);
    await rm(content);
    await mkdir(content);
    assert.deepEqual(await finish(bench, repository, state, digestIn('abc')), { size: 3 });
  });

  it('cannot begin where its directory cannot be made, which the health check tells', async () => {
    await writeFile(uploads(), 'no directory');
    await assert.rejects(bench.source.startUpload(repository, 'sha256', 'u1'), {
      code: 'DG_CONTENT_UNAVAILABLE',
    });
    await rm(uploads());
    assert.equal((await bench.source.check()).isHealthy, true);
    // Root may write anywhere; another user sees the "no".
    await mkdir(uploads(), { mode: 0o500 });
    if (process.getuid?.() !== 0) assert.equal((await bench.source.check()).isHealthy, false);
    await chmod(uploads(), 0o700);
  });
});

describe('the embedded registry', () => {
  let bench: OriginUnderTest;
  beforeEach(async () => {
    bench = await openOrigin();
  });
  afterEach(() => bench.close());

  it('does not have a blob whose file was damaged, so that it is pushed once more (S-18)', async () => {
    const image = await pushImage(bench, repository, [tagOf('v1')]);
    const [layer] = image.layers;
    assert.ok(layer);
    await bench.content.remove(layer.digest);
    assert.equal(await bench.source.findBlob(repository, layer.digest), undefined);
    assert.equal(await bench.source.openBlob(repository, layer.digest), undefined);
    assert.equal(await bench.source.mount(repositoryOf('b'), repository, layer.digest), undefined);
    const refusal = refused(await pushManifest(bench, repository, image, [tagOf('v2')]));
    assert.equal(refusal.code, 'MANIFEST_BLOB_UNKNOWN');
    assert.deepEqual(refusal.detail, { digest: layer.digest });
    await pushBlob(bench, repository, layer.bytes);
    assert.equal(await pushManifest(bench, repository, image, [tagOf('v2')]), undefined);
  });

  it('does not have a manifest whose file was damaged, and takes it once more', async () => {
    const image = await buildImage();
    await pushImage(bench, repository, [tagOf('v1')], image);
    await writeFile(
      join(bench.directory, 'content', 'sha256', image.digest.slice(7, 9), image.digest.slice(7)),
      'damaged',
    );
    // As after a restart: nothing is in memory.
    const other = await reopenSource(bench);
    assert.equal(await other.source.readManifest(repository, image.digest), undefined);
    assert.equal(await pushManifest({ ...bench, ...other }, repository, image, []), undefined);
    assert.ok(await other.source.readManifest(repository, image.digest));
  });
});

describe('the name of a process', () => {
  it('is alive while it runs, and not when another has its number', async () => {
    const own = await ownProcess();
    assert.equal(await isAlive(own), true);
    const [pid = '', begun = ''] = own.split('.');
    // Without /proc there is no start to compare.
    if (begun !== '0') assert.equal(await isAlive(`${pid}.${Number(begun) + 1}`), false);
  });

  it('is not alive once it has ended, or when it is no name at all', async () => {
    const child = spawn(process.execPath, ['-e', '']);
    await once(child, 'close');
    assert.equal(await isAlive(`${child.pid}.1`), false);
    for (const name of ['', '0.0', '-1.0', '1', 'x.y', '1.1.1', '99999999999.1', ` ${process.pid}.0`]) {
      assert.equal(await isAlive(name), false, name);
    }
  });
});

async function reopenSource(bench: OriginUnderTest) {
  const content = await bench.reopenContent();
  const options = {
    directory: join(bench.directory, 'uploads'),
    sessionsMax: SESSIONS_MAX,
    unfinishedBytesMax: 1e9,
  };
  const { store, clock } = bench;
  const parts = { clock, random: systemRandom, content, links: store.links, linkWrites: store.links };
  return { content, source: createOrigin(options, parts) };
}

async function holdInOtherProcess(directory: string, state: string): Promise<ChildProcess> {
  const script = join(import.meta.dirname, '../support/upload-process.ts');
  const child = spawn(process.execPath, [script, 'hold', directory, state], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [said]: unknown[] = await once(child.stdout, 'data');
  assert.equal(String(said), 'held\n');
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  const closed = once(child, 'close');
  child.kill('SIGKILL');
  await closed;
}
