import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import type { Repository } from '../../src/oci/index.ts';
import { buildArtifact, buildImage, buildIndex } from '../support/image.ts';
import {
  accepted,
  append,
  blobsOf,
  digestIn,
  finish,
  pushBlob,
  pushImage,
  pushManifest,
  refused,
  repositoryOf,
  type SourceUnderTest,
  tagOf,
} from './source-bench.ts';

type Bench = () => SourceUnderTest;

/**
 * What every registry behind the port does. One registry serves all tests of the suite; each test has repositories
 * of its own.
 */
export function sourceContract(implementation: string, open: () => Promise<SourceUnderTest>): void {
  describe(`the registry ${implementation}`, () => {
    let opened: SourceUnderTest | undefined;
    before(async () => {
      opened = await open();
    });
    after(async () => {
      await opened?.close();
    });
    const bench: Bench = () => {
      if (!opened) throw new Error('the registry is open only inside a test');
      return opened;
    };
    pullTests(bench);
    uploadTests(bench);
    brokenUploadTests(bench);
    mountTests(bench);
    manifestTests(bench);
    removalTests(bench);
    listTests(bench);
  });
}

let repositoryCount = 0;
/** A repository that no other test knows. */
function freshRepository(): Repository {
  repositoryCount += 1;
  return repositoryOf(`contract/r${repositoryCount}`);
}

function pullTests(bench: Bench): void {
  describe('asked for what it holds', () => {
    it('gives the bytes of an image back as they were pushed, by tag and by digest', async () => {
      for (const mediaTypes of ['oci', 'docker'] as const) {
        const { source } = bench();
        const repository = freshRepository();
        const built = await buildImage({ mediaTypes });
        const image = await pushImage(bench(), repository, [tagOf('v1'), tagOf('latest')], built);
        assert.equal(await source.resolve(repository, tagOf('v1')), image.digest);
        assert.equal(await source.resolve(repository, tagOf('latest')), image.digest);
        const manifest = await source.readManifest(repository, image.digest);
        assert.equal(manifest?.mediaType, image.mediaType);
        assert.deepEqual(Buffer.from(manifest.bytes), Buffer.from(image.manifest));
        for (const blob of blobsOf(image)) {
          assert.deepEqual(await source.findBlob(repository, blob.digest), { size: blob.bytes.length });
          await assertBlob(bench(), repository, blob.bytes);
        }
      }
    });

    it('answers undefined for what is not there', async () => {
      const { source } = bench();
      const repository = freshRepository();
      const absent = digestIn(randomBytes(8));
      const check = async () => {
        assert.equal(await source.resolve(repository, tagOf('absent')), undefined);
        assert.equal(await source.readManifest(repository, absent), undefined);
        assert.equal(await source.findBlob(repository, absent), undefined);
        assert.equal(await source.openBlob(repository, absent), undefined);
      };
      assert.equal(await source.listTags(repository, { limit: 10 }), undefined);
      await check();
      await pushImage(bench(), repository, [tagOf('v1')]);
      await check();
    });

    it('holds a blob only in the repository it was pushed to, however common it is (N-13)', async () => {
      const { source } = bench();
      const [mine, other] = [freshRepository(), freshRepository()];
      await pushImage(bench(), other, [tagOf('v1')]);
      for (const bytes of [randomBytes(40), Buffer.from('{}'), Buffer.alloc(0)]) {
        const digest = await pushBlob(bench(), mine, bytes);
        await assertBlob(bench(), mine, bytes);
        assert.equal(await source.findBlob(other, digest), undefined);
        assert.equal(await source.openBlob(other, digest), undefined);
      }
    });

    it('does not take a blob for a manifest, nor a manifest of another repository for its own', async () => {
      const { source } = bench();
      const [mine, other] = [freshRepository(), freshRepository()];
      const digest = await pushBlob(bench(), mine, randomBytes(40));
      assert.equal(await source.readManifest(mine, digest), undefined);
      const image = await pushImage(bench(), other, [tagOf('v1')]);
      assert.equal(await source.readManifest(mine, image.digest), undefined);
    });

    it('streams a large blob both ways', async () => {
      await pushBlob(bench(), freshRepository(), randomBytes(9 * 1024 * 1024));
      const repository = freshRepository();
      const bytes = randomBytes(5 * 1024 * 1024 + 1);
      await pushBlob(bench(), repository, bytes);
      await assertBlob(bench(), repository, bytes);
    });

    it('says that it is healthy', async () => {
      assert.equal((await bench().source.check()).isHealthy, true);
    });
  });
}

async function assertBlob({ source }: SourceUnderTest, repository: Repository, bytes: Uint8Array) {
  const opened = await source.openBlob(repository, digestIn(bytes));
  assert.ok(opened);
  assert.equal(opened.size, bytes.length);
  assert.ok((await buffer(opened.stream)).equals(bytes), 'other bytes than were pushed');
}

function uploadTests(bench: Bench): void {
  describe('given an upload', () => {
    it('takes chunks in order, with and without length, and the last one with the digest', async () => {
      const { source } = bench();
      const repository = freshRepository();
      let progress = accepted(await source.startUpload(repository, 'sha256', 'u1'));
      assert.equal(progress.offset, 0);
      const shapes = [
        { chunks: ['a'], contentLength: 1, range: { first: 0, last: 0 } },
        { chunks: ['bc', 'de'], range: { first: 1, last: 4 } },
        { chunks: ['fg'], contentLength: 2 },
        { chunks: ['h', 'i'] },
      ];
      const offsets = [1, 5, 7, 9];
      for (const [at, shape] of shapes.entries()) {
        progress = accepted(await append(bench(), repository, progress.state, shape));
        assert.equal(progress.offset, offsets[at]);
        const found = await source.findUpload(repository, progress.state);
        assert.equal(found?.offset, offsets[at]);
      }
      const digest = digestIn('abcdefghij!');
      const last = { chunks: ['j!'], contentLength: 2, range: { first: 9, last: 10 } };
      const finished = await finish(bench(), repository, progress.state, digest, last);
      assert.deepEqual(finished, { size: 11 });
      await assertBlob(bench(), repository, Buffer.from('abcdefghij!'));
    });

    it('takes a whole blob with the request that finishes the upload', async () => {
      const repository = freshRepository();
      for (const contentLength of [{ contentLength: 5 }, {}]) {
        const bytes = randomBytes(5);
        const { state } = accepted(await bench().source.startUpload(repository, 'sha256', 'u1'));
        const shape = { chunks: [bytes], ...contentLength };
        assert.deepEqual(await finish(bench(), repository, state, digestIn(bytes), shape), { size: 5 });
        await assertBlob(bench(), repository, bytes);
      }
    });

    it('takes sha512, and knows such a blob by no other digest (N-12)', async () => {
      const { source } = bench();
      const repository = freshRepository();
      const bytes = randomBytes(100);
      const digest = digestIn(bytes, 'sha512');
      const { state } = accepted(await source.startUpload(repository, 'sha512', 'u1'));
      const progress = accepted(await append(bench(), repository, state, { chunks: [bytes] }));
      assert.deepEqual(await finish(bench(), repository, progress.state, digest), { size: 100 });
      assert.deepEqual(await source.findBlob(repository, digest), { size: 100 });
      const opened = await source.openBlob(repository, digest);
      assert.ok(opened && (await buffer(opened.stream)).equals(bytes));
      // docker-registry answers to both, which is consistent as well: the bytes are the same.
      const bySha256 = await source.openBlob(repository, digestIn(bytes));
      assert.ok(bySha256 === undefined || (await buffer(bySha256.stream)).equals(bytes));
    });

    it('takes the same blob twice', async () => {
      const repository = freshRepository();
      const bytes = randomBytes(64);
      await pushBlob(bench(), repository, bytes);
      await pushBlob(bench(), repository, bytes);
      await assertBlob(bench(), repository, bytes);
    });

    it('forgets a cancelled upload, once', async () => {
      const { source } = bench();
      const repository = freshRepository();
      const started = accepted(await source.startUpload(repository, 'sha256', 'u1'));
      const { state } = accepted(await append(bench(), repository, started.state, { chunks: ['x'] }));
      assert.equal(await source.cancelUpload(repository, state), true);
      assert.equal(await source.cancelUpload(repository, state), false);
      await assertUnknown(bench(), repository, state);
    });

    it('forgets a finished upload', async () => {
      const repository = freshRepository();
      const { state } = accepted(await bench().source.startUpload(repository, 'sha256', 'u1'));
      const shape = { chunks: ['done'], contentLength: 4 };
      accepted(await finish(bench(), repository, state, digestIn('done'), shape));
      await assertUnknown(bench(), repository, state);
    });

    it('knows no upload whose state it did not write (N-09)', async () => {
      const repository = freshRepository();
      const states = ['', 'x', '.', '..', '../x', '/etc/passwd', '//evil.example/v2/', 'a'.repeat(26)];
      for (const state of [...states, 'http://evil.example/v2/', '/v2/../x', '/v2/a b', '/v2/a#x', '\0']) {
        await assertUnknown(bench(), repository, state);
      }
    });
  });
}

async function assertUnknown(bench: SourceUnderTest, repository: Repository, state: string): Promise<void> {
  assert.equal(await bench.source.findUpload(repository, state), undefined, state);
  assert.equal(await bench.source.cancelUpload(repository, state), false, state);
  const appended = refused(await append(bench, repository, state, { chunks: ['x'], contentLength: 1 }));
  assert.deepEqual([appended.code, appended.status], ['BLOB_UPLOAD_UNKNOWN', 404], state);
  const finished = refused(await finish(bench, repository, state, digestIn('x')));
  assert.deepEqual([finished.code, finished.status], ['BLOB_UPLOAD_UNKNOWN', 404], state);
}

function brokenUploadTests(bench: Bench): void {
  describe('given an upload that goes wrong (P-20)', () => {
    it('refuses a chunk out of order with 416 and the place where it stands, and changes nothing', async () => {
      const { source } = bench();
      const repository = freshRepository();
      const started = accepted(await source.startUpload(repository, 'sha256', 'u1'));
      const shape = { chunks: ['abc'], contentLength: 3, range: { first: 0, last: 2 } };
      const three = accepted(await append(bench(), repository, started.state, shape));
      for (const first of [0, 1, 2, 4, 1000]) {
        const range = { first, last: first + 3 };
        const chunk = { chunks: ['defg'], contentLength: 4, range };
        const refusal = refused(await append(bench(), repository, three.state, chunk));
        assert.deepEqual([refusal.code, refusal.status], ['BLOB_UPLOAD_INVALID', 416]);
        assert.equal(new Headers(refusal.headers).get('range'), '0-2');
        assert.equal((await source.findUpload(repository, three.state))?.offset, 3);
      }
      const last = { chunks: ['x'], contentLength: 1, range: { first: 9, last: 9 } };
      refused(await finish(bench(), repository, three.state, digestIn('abcdefg'), last));
      const rest = { chunks: ['defg'], range: { first: 3, last: 6 } };
      const seven = accepted(await append(bench(), repository, three.state, rest));
      const finished = await finish(bench(), repository, seven.state, digestIn('abcdefg'));
      assert.deepEqual(finished, { size: 7 });
    });

    it('refuses a chunk that is not as long as its range says', async () => {
      const repository = freshRepository();
      for (const shape of [
        { chunks: ['12345'], contentLength: 5, range: { first: 0, last: 10 } },
        { chunks: ['12345'], contentLength: 5, range: { first: 0, last: 1 } },
        { chunks: ['12345'], range: { first: 0, last: 10 } },
        { chunks: ['12345'], range: { first: 0, last: 1 } },
      ]) {
        const { state } = accepted(await bench().source.startUpload(repository, 'sha256', 'u1'));
        const refusal = refused(await append(bench(), repository, state, shape));
        assert.equal(refusal.code, 'SIZE_INVALID');
        assert.equal(refusal.status, 400);
      }
    });

    it('refuses bytes of another digest with DIGEST_INVALID and publishes them under none', async () => {
      const { source } = bench();
      const repository = freshRepository();
      for (const claimed of [digestIn('wrong'), digestIn('right', 'sha512'), digestIn('')]) {
        const started = accepted(await source.startUpload(repository, 'sha256', 'u1'));
        const { state } = accepted(await append(bench(), repository, started.state, { chunks: ['righ'] }));
        const last = { chunks: ['t!'], contentLength: 2 };
        const refusal = refused(await finish(bench(), repository, state, claimed, last));
        assert.deepEqual([refusal.code, refusal.status], ['DIGEST_INVALID', 400]);
        for (const digest of [claimed, digestIn('right!'), digestIn('righ')]) {
          assert.equal(await source.findBlob(repository, digest), undefined);
        }
      }
    });

    it('publishes nothing when the client is cut off, and takes the blob from a new upload', async () => {
      const { source } = bench();
      const repository = freshRepository();
      const bytes = randomBytes(1000);
      for (const sendCut of [append, cutFinish]) {
        const { state } = accepted(await source.startUpload(repository, 'sha256', 'u1'));
        const shape = { chunks: [bytes.subarray(0, 300)], contentLength: 1000, ending: 'cut' as const };
        const outcome = await sendCut(bench(), repository, state, shape).catch((error: unknown) => error);
        assert.ok(outcome instanceof Error || refused(outcome));
        assert.equal(await source.findBlob(repository, digestIn(bytes)), undefined);
        assert.equal(await source.findBlob(repository, digestIn(bytes.subarray(0, 300))), undefined);
      }
      await pushBlob(bench(), repository, bytes);
      await assertBlob(bench(), repository, bytes);

      async function cutFinish(...[on, where, state, shape]: Parameters<typeof append>) {
        return finish(on, where, state, digestIn(bytes), shape);
      }
    });
  });
}

function mountTests(bench: Bench): void {
  describe('asked to mount a blob', () => {
    it('makes it available in the other repository too', async () => {
      const { source, link } = bench();
      const [from, to] = [freshRepository(), freshRepository()];
      const bytes = randomBytes(64);
      const digest = await pushBlob(bench(), from, bytes);
      assert.deepEqual(await source.mount(to, from, digest), { size: 64 });
      await link(to, digest, 64);
      await assertBlob(bench(), to, bytes);
      await assertBlob(bench(), from, bytes);
    });

    it('cannot when the repository it is to come from does not hold it', async () => {
      const { source } = bench();
      const [from, to, third] = [freshRepository(), freshRepository(), freshRepository()];
      const digest = await pushBlob(bench(), third, randomBytes(64));
      await pushImage(bench(), from, [tagOf('v1')]);
      assert.equal(await source.mount(to, from, digest), undefined);
      assert.equal(await source.mount(to, from, digestIn(randomBytes(8))), undefined);
      assert.equal(await source.mount(to, freshRepository(), digest), undefined);
      assert.equal(await source.findBlob(to, digest), undefined);
    });
  });
}

function manifestTests(bench: Bench): void {
  describe('given a manifest', () => {
    it('refuses it whole while it names what the repository does not hold, and says what that is', async () => {
      const { source } = bench();
      const [repository, other] = [freshRepository(), freshRepository()];
      const image = await buildImage({ layers: [[{ path: 'a', data: randomBytes(9) }]] });
      for (const blob of blobsOf(image)) await pushBlob(bench(), other, blob.bytes);
      for (const blob of blobsOf(image)) {
        const refusal = refused(await pushManifest(bench(), repository, image, [tagOf('v1')]));
        assert.deepEqual([refusal.code, refusal.status], ['MANIFEST_BLOB_UNKNOWN', 404]);
        assert.ok(blobsOf(image).some(({ digest }) => refusal.message.includes(digest)));
        assert.equal(await source.resolve(repository, tagOf('v1')), undefined);
        assert.equal(await source.readManifest(repository, image.digest), undefined);
        await pushBlob(bench(), repository, blob.bytes);
      }
      assert.equal(await pushManifest(bench(), repository, image, [tagOf('v1')]), undefined);
      assert.equal(await source.resolve(repository, tagOf('v1')), image.digest);
    });

    it('moves the tag and keeps the manifest that had it', async () => {
      const { source } = bench();
      const repository = freshRepository();
      const first = await pushImage(bench(), repository, [tagOf('v1')]);
      const built = await buildImage({ layers: [[{ path: 'second', data: 'x' }]] });
      const second = await pushImage(bench(), repository, [tagOf('v1')], built);
      assert.equal(await source.resolve(repository, tagOf('v1')), second.digest);
      assert.ok(await source.readManifest(repository, first.digest));
    });

    it('takes one without a tag, by its digest', async () => {
      const { source } = bench();
      const repository = freshRepository();
      const image = await pushImage(bench(), repository, []);
      assert.ok(await source.readManifest(repository, image.digest));
      // docker-registry knows a repository by its tags alone.
      assert.deepEqual((await source.listTags(repository, { limit: 10 })) ?? [], []);
    });

    it('takes an index once its children are there', async () => {
      for (const mediaTypes of ['oci', 'docker'] as const) {
        const { source } = bench();
        const repository = freshRepository();
        const child = await buildImage({ mediaTypes });
        const index = buildIndex([child], { mediaTypes });
        const refusal = refused(await pushManifest(bench(), repository, index, [tagOf('v1')]));
        assert.equal(refusal.code, 'MANIFEST_BLOB_UNKNOWN');
        await pushImage(bench(), repository, [], child);
        assert.equal(await pushManifest(bench(), repository, index, [tagOf('v1')]), undefined);
        assert.equal(await source.resolve(repository, tagOf('v1')), index.digest);
        const read = await source.readManifest(repository, index.digest);
        assert.equal(read?.mediaType, index.mediaType);
      }
    });

    it('takes one whose subject is not there', async () => {
      const repository = freshRepository();
      const artifact = buildArtifact({
        artifactType: 'application/vnd.example.signature',
        blobs: [{ bytes: randomBytes(20), mediaType: 'application/octet-stream' }],
        subject: await buildImage(),
      });
      for (const blob of blobsOf(artifact)) await pushBlob(bench(), repository, blob.bytes);
      assert.equal(await pushManifest(bench(), repository, artifact, []), undefined);
      assert.ok(await bench().source.readManifest(repository, artifact.digest));
    });
  });
}

function removalTests(bench: Bench): void {
  describe('asked to remove something', () => {
    it('removes a manifest with its tags, once', async () => {
      const { source } = bench();
      const repository = freshRepository();
      const image = await pushImage(bench(), repository, [tagOf('v1'), tagOf('v2')]);
      assert.equal(await source.removeManifest(repository, image.digest), undefined);
      assert.equal(await source.readManifest(repository, image.digest), undefined);
      assert.equal(await source.resolve(repository, tagOf('v1')), undefined);
      assert.equal(await source.resolve(repository, tagOf('v2')), undefined);
      const refusal = refused(await source.removeManifest(repository, image.digest));
      assert.deepEqual([refusal.code, refusal.status], ['MANIFEST_UNKNOWN', 404]);
    });

    it('removes a tag and keeps the manifest, or says that it cannot', async () => {
      const { source } = bench();
      const repository = freshRepository();
      const image = await pushImage(bench(), repository, [tagOf('v1'), tagOf('v2')]);
      assert.equal(refused(await source.removeTag(repository, tagOf('absent'))).code, 'MANIFEST_UNKNOWN');
      const removed = await source.removeTag(repository, tagOf('v1'));
      if (removed) {
        assert.deepEqual([removed.code, removed.status], ['UNSUPPORTED', 405]);
        assert.equal(await source.resolve(repository, tagOf('v1')), image.digest);
      } else {
        assert.equal(await source.resolve(repository, tagOf('v1')), undefined);
      }
      assert.equal(await source.resolve(repository, tagOf('v2')), image.digest);
      assert.ok(await source.readManifest(repository, image.digest));
    });

    it('removes a blob once, and only from that repository', async () => {
      const { source } = bench();
      const [repository, other] = [freshRepository(), freshRepository()];
      const bytes = randomBytes(50);
      const digest = await pushBlob(bench(), repository, bytes);
      await pushBlob(bench(), other, bytes);
      assert.equal(await source.removeBlob(repository, digest), undefined);
      assert.equal(await source.findBlob(repository, digest), undefined);
      const refusal = refused(await source.removeBlob(repository, digest));
      assert.deepEqual([refusal.code, refusal.status], ['BLOB_UNKNOWN', 404]);
      await assertBlob(bench(), other, bytes);
    });

    it('does not remove a blob that is named as a manifest', async () => {
      const { source } = bench();
      const repository = freshRepository();
      const bytes = randomBytes(50);
      const digest = await pushBlob(bench(), repository, bytes);
      assert.equal(refused(await source.removeManifest(repository, digest)).code, 'MANIFEST_UNKNOWN');
      await assertBlob(bench(), repository, bytes);
    });
  });
}

function listTests(bench: Bench): void {
  describe('asked for a list', () => {
    it('gives tags in byte order, page by page', async () => {
      const { source } = bench();
      const repository = freshRepository();
      await pushImage(bench(), repository, ['b', 'a', 'B', '1', '_x'].map(tagOf));
      const tags = (page: { last?: string; limit: number }) => source.listTags(repository, page);
      assert.deepEqual(await tags({ limit: 10 }), ['1', 'B', '_x', 'a', 'b']);
      assert.deepEqual(await tags({ limit: 2 }), ['1', 'B']);
      assert.deepEqual(await tags({ limit: 2, last: 'B' }), ['_x', 'a']);
      assert.deepEqual(await tags({ limit: 2, last: 'C' }), ['_x', 'a']);
      assert.deepEqual(await tags({ limit: 2, last: 'b' }), []);
      assert.deepEqual(await tags({ limit: 0 }), []);
    });

    it('gives the repositories that hold a manifest in byte order, page by page', async () => {
      const { source } = bench();
      const names = ['zz/a-b', 'zz/a', 'zz/a/b', 'zz/a.b'];
      for (const name of names) await pushImage(bench(), repositoryOf(name), [tagOf('v1')]);
      const from = (page: { last?: string; limit: number }) => source.listRepositories(page);
      assert.deepEqual(await from({ limit: 10, last: 'zz' }), ['zz/a', 'zz/a-b', 'zz/a.b', 'zz/a/b']);
      assert.deepEqual(await from({ limit: 2, last: 'zz' }), ['zz/a', 'zz/a-b']);
      assert.deepEqual(await from({ limit: 2, last: 'zz/a-b' }), ['zz/a.b', 'zz/a/b']);
      assert.deepEqual(await from({ limit: 2, last: 'zz/a/b' }), []);
    });
  });
}
