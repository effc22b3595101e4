import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { type Clock, isErrorWithCode, type Random } from '../base/index.ts';
import { type Content, digestFrom, type LinkReads, type LinkWrites, type Source } from '../content/index.ts';
import {
  algorithmOf,
  type Digest,
  isRefusal,
  MANIFEST_BYTES_MAX,
  type Refusal,
  refuse,
} from '../oci/index.ts';
import { appendChunk } from './append.ts';
import { createUploadFiles, type UploadFiles } from './upload-files.ts';
import { withUploadLock } from './upload-lock.ts';

export interface OriginOptions {
  /** `uploads` in the data directory, on the file system of the content store. */
  readonly directory: string;
}

export interface OriginParts {
  readonly content: Content;
  readonly links: LinkReads;
  readonly linkWrites: LinkWrites;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * The embedded registry: content in the store, links in SQL, uploads as files. Every process of a node may hold one;
 * what they share is on disk.
 */
export function createOrigin(options: OriginOptions, parts: OriginParts): Source {
  const { content, links, linkWrites, clock } = parts;
  const uploads = createUploadFiles(options.directory, parts.random);
  return {
    kind: 'origin',
    resolve: (repository, tag) => links.findTag(repository, tag),

    async readManifest(repository, digest) {
      const linked = await links.findManifest(repository, digest);
      const bytes = linked && (await content.read(digest, MANIFEST_BYTES_MAX));
      return bytes && { mediaType: linked.mediaType, bytes };
    },

    async findBlob(repository, digest) {
      const linked = await links.findBlob(repository, digest);
      return linked && { size: linked.size };
    },

    async openBlob(repository, digest) {
      return (await links.findBlob(repository, digest)) && content.open(digest);
    },

    async listTags(repository, page) {
      const tags = await links.listTags(repository, page);
      if (tags.length > 0) return tags;
      const isKnown = (await links.listManifests(repository, { limit: 1 })).length > 0;
      return isKnown ? [] : undefined;
    },

    listRepositories: (page) => links.listRepositories(page),

    async pushManifest(push) {
      await content.put(push.digest, push.bytes);
      const { repository, digest, manifest, tags, pushedBy } = push;
      const size = push.bytes.length;
      const link = {
        repository,
        digest,
        size,
        manifest,
        tags,
        pushedBy,
        requireContent: true,
        nowMs: clock.nowMs(),
      };
      const result = await linkWrites.linkManifest(link);
      if (result.ok) return undefined;
      const message = `dockgate: ${repository} does not have ${result.missing}, which the manifest names: push it first`;
      return refuse('MANIFEST_BLOB_UNKNOWN', message, { detail: { digest: result.missing } });
    },

    async removeTag(repository, tag) {
      return (await linkWrites.removeTag(repository, tag)) ? undefined : absent('MANIFEST_UNKNOWN', tag);
    },

    async removeManifest(repository, digest) {
      return (await linkWrites.removeManifest(repository, digest))
        ? undefined
        : absent('MANIFEST_UNKNOWN', digest);
    },

    async removeBlob(repository, digest) {
      return (await linkWrites.removeBlob(repository, digest)) ? undefined : absent('BLOB_UNKNOWN', digest);
    },

    async startUpload() {
      return { state: await uploads.create(), offset: 0 };
    },

    appendUpload: (_repository, state, body) =>
      locked(uploads, state, async () => {
        const appended = await appendChunk(uploads, state, body);
        return isRefusal(appended) ? appended : { state, offset: appended };
      }),

    finishUpload: (_repository, state, digest, body) =>
      locked(uploads, state, async () => {
        const appended = await appendChunk(uploads, state, body);
        return isRefusal(appended) ? appended : publishUpload(uploads, content, state, digest);
      }),

    async findUpload(_repository, state) {
      const offset = await uploads.sizeOf(state);
      return offset === undefined ? undefined : { state, offset };
    },

    cancelUpload: (_repository, state) => uploads.remove(state),

    async mount(_repository, from, digest) {
      const linked = await links.findBlob(from, digest);
      return linked && (await content.find(digest));
    },

    async check() {
      try {
        await access(options.directory, constants.W_OK);
      } catch (error) {
        // Made with the first upload.
        if (!isErrorWithCode(error, 'ENOENT'))
          return { isHealthy: false, note: 'the uploads directory is not writable' };
      }
      return { isHealthy: true, note: 'embedded registry' };
    },

    close: async () => {},
  };
}

async function locked<T>(
  uploads: UploadFiles,
  state: string,
  work: () => Promise<T | Refusal>,
): Promise<T | Refusal> {
  if ((await uploads.sizeOf(state)) === undefined) {
    return refuse('BLOB_UPLOAD_UNKNOWN', 'dockgate: there is no such upload: begin a new one');
  }
  const result = await withUploadLock(uploads.pathOf(state), work);
  return (
    result ??
    refuse('BLOB_UPLOAD_INVALID', 'dockgate: another request is writing to this upload', { status: 416 })
  );
}

/** A wrong digest ends the upload: what it holds is not what the client meant, and nobody can tell from where on. */
async function publishUpload(
  uploads: UploadFiles,
  content: Content,
  state: string,
  digest: Digest,
): Promise<{ readonly size: number } | Refusal> {
  const algorithm = algorithmOf(digest);
  const { hash, size } = await uploads.seal(state, algorithm);
  const found = digestFrom(hash, algorithm);
  if (found !== digest) {
    await uploads.remove(state);
    return refuse(
      'DIGEST_INVALID',
      `dockgate: the blob's digest is ${found}, not the one given; it was dropped`,
    );
  }
  await content.adopt(uploads.pathOf(state), digest);
  return { size };
}

function absent(code: 'MANIFEST_UNKNOWN' | 'BLOB_UNKNOWN', what: string): Refusal {
  return refuse(code, `dockgate: there is no ${what}`);
}
