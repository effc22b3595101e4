import assert from 'node:assert/strict';
import { type Digest, MEDIA_TYPES, parseDigest } from '../../src/oci/index.ts';
import { repositoryOf } from '../contracts/source-bench.ts';
import { answerOf, withStub } from './stub.ts';

const APP = repositoryOf('team/app');
const digest = (digit: string): Digest => {
  const parsed = parseDigest(`sha256:${digit.repeat(64)}`);
  if (!parsed) throw new Error('a digest that is one');
  return parsed;
};
const indexOf = (...digests: readonly string[]) =>
  JSON.stringify({
    ...{ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex },
    manifests: digests.map((one) => ({ mediaType: MEDIA_TYPES.ociManifest, digest: one, size: 2 })),
  });
const TYPE = `Content-Type: ${MEDIA_TYPES.ociIndex}`;
const NOTHING = answerOf('404 Not Found');
const SUBJECT = digest('a');
const pathOf = (line: string) => line.split(' ')[1] ?? '';

describe('what a registry says refers to a digest', () => {
  it('is read page by page where it has the API, each digest once, and the tag is not asked for', async () => {
    const pages = [
      answerOf('200 OK', [TYPE, 'Link: </v2/elsewhere?last=b>; rel="next"'], indexOf(digest('b'))),
      answerOf('200 OK', [TYPE], indexOf(digest('b'), digest('c'))),
    ];
    await withStub(
      (_request, socket) => void socket.write(pages.shift() ?? NOTHING),
      async (source, stub) => {
        assert.deepEqual(await source.listReferrers(APP, SUBJECT), [digest('b'), digest('c')]);
        assert.deepEqual(
          stub.requests.map(({ line }) => pathOf(line)),
          [`/v2/team/app/referrers/${SUBJECT}`, `/v2/team/app/referrers/${SUBJECT}?last=b`],
        );
      },
    );
  });

  for (const status of ['400 Bad Request', '403 Forbidden', '404 Not Found', '405 No', '501 No']) {
    it(`is the index of the fallback tag where the API answers ${status}`, async () => {
      await withStub(
        ({ line }, socket) =>
          void socket.write(
            line.includes('/referrers/')
              ? answerOf(status)
              : answerOf('200 OK', [TYPE], indexOf(digest('b'))),
          ),
        async (source, stub) => {
          assert.deepEqual(await source.listReferrers(APP, SUBJECT), [digest('b')]);
          assert.equal(
            pathOf(stub.requests.at(-1)?.line ?? ''),
            `/v2/team/app/manifests/sha256-${'a'.repeat(64)}`,
          );
        },
      );
    });
  }

  it('has a fallback tag of 64 digits for sha512 too', async () => {
    const subject = parseDigest(`sha512:${'ab'.repeat(64)}`);
    assert.ok(subject);
    await withStub(NOTHING, async (source, stub) => {
      assert.deepEqual(await source.listReferrers(APP, subject), []);
      assert.match(stub.requests.at(-1)?.line ?? '', /\/manifests\/sha512-(ab){32} /);
    });
  });

  it('is nothing where image or page lies under the tag', async () => {
    for (const type of [MEDIA_TYPES.ociManifest, MEDIA_TYPES.dockerIndex, 'text/html']) {
      await withStub(answerOf('200 OK', [`Content-Type: ${type}`], indexOf(digest('b'))), async (source) => {
        assert.deepEqual(await source.listReferrers(APP, SUBJECT), []);
      });
    }
  });

  it('is a fault where the list is none, where it may not be read, and where nobody answers', async () => {
    const answers = [
      answerOf('200 OK', [TYPE], '{"schemaVersion":2}'),
      answerOf('500 Oops'),
      answerOf('403 Forbidden'),
    ];
    for (const answer of answers) {
      await withStub(answer, async (source) => {
        await assert.rejects(source.listReferrers(APP, SUBJECT), { name: 'UpstreamUnavailable' });
      });
    }
  });
});
