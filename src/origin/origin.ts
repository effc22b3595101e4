import { constants } from 'node:fs';
import { access, rm } from 'node:fs/promises';
import { type Clock, isErrorWithCode, type Random, sayBytes } from '../base/index.ts';
import {
  type Content,
  type LinkReads,
  type LinkWrites,
  orUnavailable,
  type Source,
} from '../content/index.ts';
import {
  algorithmOf,
  type Digest,
  isRefusal,
  MANIFEST_BYTES_MAX,
  type Manifest,
  namedBy,
  type Refusal,
  type Repository,
  refuse,
} from '../oci/index.ts';
import { appendChunk, type OwnersShare, outOfOrder } from './append.ts';
import { sealFile } from './seal.ts';
import { createUploadFiles, type UploadFiles } from './upload-files.ts';

export interface OriginOptions {
  /** `uploads` in the data directory, on the file system of the content store. */
  readonly directory: string;
  /** Uploads that one principal may have open at once. */
  readonly sessionsMax: number;
  /** Bytes that one principal may have in uploads that are not finished; requests that arrive at once may pass it a little. */
  readonly unfinishedBytesMax: number;
}

export interface OriginParts {
  readonly content: Content;
  readonly links: LinkReads;
  readonly linkWrites: LinkWrites;
  readonly clock: Clock;
  readonly random: Random;
}

const RETRY_SECONDS = '60';

/**
 * The embedded registry: content in the store, links in SQL, uploads as files. Every process of a node may hold one;
 * what they share is on disk.
 */
export function createOrigin(options: OriginOptions, parts: OriginParts): Source {
  const uploads = createUploadFiles(options, parts.random);
  return {
    kind: 'origin',
    ...createPulls(parts),
    ...createPushes(parts),
    ...createRemovals(parts.linkWrites),
    ...createUploads(uploads, parts.content, options),

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

type Pulls = Pick<
  Source,
  'resolve' | 'readManifest' | 'findBlob' | 'openBlob' | 'listTags' | 'listRepositories' | 'listReferrers'
>;

function createPulls({ content, links }: OriginParts): Pulls {
  return {
    resolve: (repository, tag) => links.findTag(repository, tag),

    async readManifest(repository, digest) {
      const linked = await links.findManifest(repository, digest);
      const bytes = linked && (await content.read(digest, MANIFEST_BYTES_MAX));
      return bytes && { mediaType: linked.mediaType, bytes };
    },

    // Renewed: a pusher who hears that it is here will not upload it, and links it next.
    async findBlob(repository, digest) {
      return (await links.findBlob(repository, digest)) && content.renew(digest);
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
    // All that refers to something here was pushed here, and is linked.
    listReferrers: async () => [],
  };
}

function createPushes(parts: OriginParts): Pick<Source, 'pushManifest' | 'mount'> {
  const { content, links, linkWrites, clock } = parts;
  return {
    async pushManifest({ repository, digest, bytes, manifest, tags, tagRights, pushedBy }) {
      const refusal = await checkNamed(parts, repository, manifest);
      if (refusal) return refusal;
      await content.put(digest, bytes);
      const result = await linkWrites.linkManifest({
        repository,
        digest,
        size: bytes.length,
        manifest,
        tags,
        tagRights,
        pushedBy,
        requireContent: true,
        nowMs: clock.nowMs(),
      });
      if (result.ok) return undefined;
      return 'missing' in result
        ? blobUnknown(repository, result.missing)
        : refuse(
            'DENIED',
            `dockgate: ${repository}:${result.tag} needs ${result.lacks}; ask an admin or maintainer`,
          );
    },

    // Renewed: the caller links it next.
    async mount(_repository, from, digest) {
      return (await links.findBlob(from, digest)) && content.renew(digest);
    },
  };
}

function createRemovals(linkWrites: LinkWrites): Pick<Source, 'removeTag' | 'removeManifest' | 'removeBlob'> {
  const unlessGone = (isGone: boolean, code: 'MANIFEST_UNKNOWN' | 'BLOB_UNKNOWN', what: string) =>
    isGone ? undefined : refuse(code, `dockgate: there is no ${what}`);
  return {
    async removeTag(repository, tag) {
      return unlessGone(await linkWrites.removeTag(repository, tag), 'MANIFEST_UNKNOWN', tag);
    },
    async removeManifest(repository, digest) {
      return unlessGone(await linkWrites.removeManifest(repository, digest), 'MANIFEST_UNKNOWN', digest);
    },
    async removeBlob(repository, digest) {
      return unlessGone(await linkWrites.removeBlob(repository, digest), 'BLOB_UNKNOWN', digest);
    },
  };
}

type Uploads = Pick<Source, 'startUpload' | 'appendUpload' | 'finishUpload' | 'findUpload' | 'cancelUpload'>;

function createUploads(
  uploads: UploadFiles,
  content: Content,
  { unfinishedBytesMax }: Pick<OriginOptions, 'unfinishedBytesMax'>,
): Uploads {
  const most = sayBytes(unfinishedBytesMax);
  const message = `dockgate: your unfinished uploads may hold ${most}: finish or cancel some, or wait until they expire`;
  const shareOf = (state: string): OwnersShare => ({
    bytesLeft: async () => unfinishedBytesMax - (await uploads.ownersBytes(state)),
    refusal: refuse('DENIED', message, { status: 413 }),
  });
  return {
    async startUpload(_repository, _algorithm, startedBy) {
      const state = await uploads.create(startedBy);
      if (state !== undefined) return { state, offset: 0 };
      const message = 'dockgate: too many uploads are open: finish or cancel some, or wait until they expire';
      return refuse('TOOMANYREQUESTS', message, { headers: { 'retry-after': RETRY_SECONDS } });
    },

    appendUpload: (_repository, state, body) =>
      withUpload(uploads, state, async (path) => {
        const appended = await appendChunk(path, body, shareOf(state));
        return isRefusal(appended) ? appended : { state, offset: appended };
      }),

    finishUpload: (_repository, state, digest, body) =>
      withUpload(uploads, state, async (path) => {
        const appended = await appendChunk(path, body, shareOf(state));
        return isRefusal(appended) ? appended : publishUpload(content, path, digest);
      }),

    async findUpload(_repository, state) {
      const offset = await uploads.sizeOf(state);
      return offset === undefined ? undefined : { state, offset };
    },

    cancelUpload: (_repository, state) => uploads.remove(state),
  };
}

async function withUpload<T>(
  uploads: UploadFiles,
  state: string,
  work: (path: string) => Promise<T | Refusal>,
): Promise<T | Refusal> {
  const result = await uploads.hold(state, work);
  if (result.kind === 'done') return result.value;
  const offset = result.kind === 'busy' ? await uploads.sizeOf(state) : undefined;
  if (offset === undefined) {
    return refuse('BLOB_UPLOAD_UNKNOWN', 'dockgate: there is no such upload: begin a new one');
  }
  return outOfOrder(offset, 'dockgate: another request is writing to this upload');
}

/** A wrong digest ends the upload: what it holds is not what the client meant, and nobody can tell from where on. */
async function publishUpload(
  content: Content,
  path: string,
  digest: Digest,
): Promise<{ readonly size: number } | Refusal> {
  const sealed = await sealFile(path, algorithmOf(digest));
  if (sealed.digest === digest) {
    await content.adopt(path, digest);
    return { size: sealed.size };
  }
  await orUnavailable(rm(path, { force: true }));
  const message = `dockgate: the blob's digest is ${sealed.digest}, not the one given; it was dropped`;
  return refuse('DIGEST_INVALID', message);
}

/**
 * Refuses a manifest that names what the repository or the disk lacks (damaged, and so removed), or that states a
 * wrong size (threat V-16). The disk is asked only about what is linked here: nobody learns what other repositories
 * hold (threat N-13).
 */
async function checkNamed(
  { content, links }: Pick<OriginParts, 'content' | 'links'>,
  repository: Repository,
  manifest: Manifest,
): Promise<Refusal | undefined> {
  for (const { digest, size } of namedBy(manifest)) {
    const linked =
      (await links.findBlob(repository, digest)) ?? (await links.findManifest(repository, digest));
    const found = linked && (await content.find(digest));
    if (found && found.size !== size) {
      const message = `dockgate: the manifest says ${size} bytes for ${digest}, which has ${found.size}`;
      return refuse('MANIFEST_INVALID', message);
    }
    // Clients fetch a layer with addresses elsewhere there. Nothing inspects it, so policy refuses the image (V-18).
    if (!found && !isElsewhere(manifest, digest)) return blobUnknown(repository, digest);
  }
  return undefined;
}

/** A layer that says where else it lies (non-distributable). @see OCI image-spec 1.1, layer.md */
function isElsewhere(manifest: Manifest, digest: Digest): boolean {
  return manifest.layers.some((layer) => layer.digest === digest && layer.urls.length > 0);
}

function blobUnknown(repository: Repository, missing: Digest): Refusal {
  const message = `dockgate: ${repository} does not have ${missing}, which the manifest names: push it first`;
  return refuse('MANIFEST_BLOB_UNKNOWN', message, { detail: { digest: missing } });
}
