import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import type {
  Descriptor,
  Digest,
  DigestAlgorithm,
  Manifest,
  ManifestKind,
  Refusal,
  Repository,
  Tag,
} from '../oci/index.ts';

export interface StoredManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly kind: ManifestKind;
  readonly size: number;
  readonly artifactType?: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly subject?: Digest;
  /** Account id of who pushed it here; absent when it came from upstream. */
  readonly pushedBy?: string;
}

export interface Page {
  /** Entries strictly after this one in byte order. */
  readonly last?: string;
  readonly limit: number;
}

/**
 * `origin`: a manifest of the repository names it. `pending`: uploaded, mounted or found by a pusher, not named by
 * a manifest yet; ends at `untilMs`. `cached`: only known because a manifest came through from upstream.
 */
export type BlobOwner = 'origin' | 'pending' | 'cached';

/** Port: which repository holds what. Implemented by `store/`. */
export interface LinkReads {
  findTag(repository: Repository, tag: Tag): Promise<Digest | undefined>;
  listTags(repository: Repository, page: Page): Promise<readonly Tag[]>;
  /** Repositories with at least one manifest, in byte order. */
  listRepositories(page: Page): Promise<readonly Repository[]>;
  findManifest(repository: Repository, digest: Digest): Promise<StoredManifest | undefined>;
  /** Manifests of the repository in byte order of their digests, with their tags. */
  listManifests(
    repository: Repository,
    page: Page,
  ): Promise<readonly (StoredManifest & { readonly tags: readonly Tag[] })[]>;
  findBlob(
    repository: Repository,
    digest: Digest,
  ): Promise<{ readonly owner: BlobOwner; readonly size: number } | undefined>;
  /** Manifests of the repository that name the blob as config or layer. */
  manifestsNaming(repository: Repository, blob: Digest): Promise<readonly Digest[]>;
  childrenOf(digest: Digest): Promise<readonly Descriptor[]>;
  /** Indexes of the repository that list the digest as a child, at most so many. */
  indexesNaming(repository: Repository, digest: Digest, limit: number): Promise<readonly Digest[]>;
  listReferrers(
    repository: Repository,
    subject: Digest,
    filter: Page & { readonly artifactType?: string },
  ): Promise<readonly StoredManifest[]>;
}

/** What a pusher may do with tags, since setting one that is there is another right than making one. */
export interface TagRights {
  readonly mayCreate: boolean;
  readonly mayOverwrite: boolean;
  /** Tags that may be set to what they name already, and to nothing else once they exist. */
  readonly immutable?: readonly Tag[];
}

export interface NewManifestLink {
  readonly repository: Repository;
  readonly digest: Digest;
  readonly size: number;
  readonly manifest: Manifest;
  /** All set in the same transaction. */
  readonly tags: readonly Tag[];
  /** Checked against the tags that are there in the same transaction: two pushes may race for one (threat N-16). */
  readonly tagRights: TagRights;
  readonly pushedBy?: string;
  /** Refuse unless everything the manifest names is linked or pending here (not for the subject). */
  readonly requireContent: boolean;
  readonly nowMs: number;
}

export type LinkResult =
  | { readonly ok: true }
  | { readonly ok: false; readonly missing: Digest }
  /** The tag, and the right that is lacking for it; nothing was changed. */
  | { readonly ok: false; readonly tag: Tag; readonly lacks: 'tag.create' | 'tag.overwrite' };

/** Port, implemented by `store/`; a proxy in workers. One SQL transaction each. */
export interface LinkWrites {
  linkManifest(link: NewManifestLink): Promise<LinkResult>;
  linkBlob(link: {
    readonly repository: Repository;
    readonly digest: Digest;
    readonly size: number;
    readonly owner: BlobOwner;
    /** For `pending`. */
    readonly untilMs?: number;
  }): Promise<void>;
  /** @returns whether there was one. */
  removeTag(repository: Repository, tag: Tag): Promise<boolean>;
  /** Removes the manifest and its tags from the repository; blobs that nothing here names any more lose their link. */
  removeManifest(repository: Repository, digest: Digest): Promise<boolean>;
  removeBlob(repository: Repository, digest: Digest): Promise<boolean>;
  /** Ends pending links whose time is over. */
  sweepPending(nowMs: number): Promise<number>;
  /** Digests of this list that no repository links (neither as manifest nor as blob). */
  unowned(digests: readonly Digest[]): Promise<readonly Digest[]>;
  /** Digests of this list that repositories link as `cached` and nobody in another way. */
  merelyCached(digests: readonly Digest[]): Promise<readonly Digest[]>;
}

/** Who holds a content. */
export interface Holder {
  readonly repository: Repository;
  readonly owner: BlobOwner;
  /** Tags whose pull needs it. */
  readonly tags: readonly Tag[];
}

/** What a repository links, in bytes; `ownBytes` no other repository links, so they go with it. */
export interface RepositoryUsage {
  readonly repository: Repository;
  readonly bytes: number;
  readonly ownBytes: number;
  readonly sharedBytes: number;
  readonly originBytes: number;
  readonly cachedBytes: number;
  readonly pendingBytes: number;
}

/** Port: what the repositories hold, for who runs the registry. Implemented by `store/`. */
export interface Inventory {
  /** What must be in the content store, each once, in byte order: links that are not merely `cached`. */
  listHeld(page: Page): Promise<readonly Digest[]>;
  holdersOf(digest: Digest): Promise<readonly Holder[]>;
  /** @returns the largest repositories first, and of all of them how many contents and bytes, each counted once. */
  usage(limit: number): Promise<{
    readonly repositories: readonly RepositoryUsage[];
    readonly contents: number;
    readonly bytes: number;
  }>;
}

/** The body of an upload request, streamed, never buffered. */
export interface UploadBody {
  readonly request: IncomingMessage;
  /** Absent: chunked. */
  readonly contentLength?: number;
  /** The chunk's place as the client states it; absent: append. */
  readonly range?: { readonly first: number; readonly last: number };
  /** The embedded registry takes no more than this. */
  readonly room?: { readonly bytesMax: number; readonly refusal: Refusal };
}

/** Where an upload stands. `state` is opaque to all but the source; the gateway signs it into Location. */
export interface UploadProgress {
  readonly state: string;
  /** Bytes received so far. */
  readonly offset: number;
}

/**
 * Port: a registry that can be pulled from and pushed to. Implemented by `upstream/` and by `origin/`; every
 * implementation passes `test/contracts/source.ts`. No decision is made here: the caller has made it.
 *
 * @throws {UpstreamUnavailable} the registry did not answer (503), or answered what it must not (502).
 */
export interface Source {
  readonly kind: 'origin' | 'upstream';
  resolve(repository: Repository, tag: Tag): Promise<Digest | undefined>;
  /** The exact bytes, verified against the digest. */
  readManifest(
    repository: Repository,
    digest: Digest,
  ): Promise<{ readonly mediaType: string; readonly bytes: Uint8Array } | undefined>;
  /** Whether this repository of the source holds the blob. */
  findBlob(repository: Repository, digest: Digest): Promise<{ readonly size: number } | undefined>;
  /** From the source itself, whole; the caller verifies the bytes while it stores them. */
  openBlob(
    repository: Repository,
    digest: Digest,
  ): Promise<{ readonly size: number; readonly stream: Readable } | undefined>;
  listTags(repository: Repository, page: Page): Promise<readonly Tag[] | undefined>;
  listRepositories(page: Page): Promise<readonly Repository[]>;
  /**
   * What the source itself says refers to a digest, where that is not known here anyway: by the manifest's own `subject`
   * it may turn out not to.
   */
  listReferrers(repository: Repository, subject: Digest): Promise<readonly Digest[]>;
  pushManifest(push: {
    readonly repository: Repository;
    readonly digest: Digest;
    readonly tags: readonly Tag[];
    /** The embedded registry checks them when it sets the tags; another registry knows no such rights. */
    readonly tagRights: TagRights;
    readonly mediaType: string;
    readonly bytes: Uint8Array;
    readonly manifest: Manifest;
    readonly pushedBy: string;
  }): Promise<Refusal | undefined>;
  removeTag(repository: Repository, tag: Tag): Promise<Refusal | undefined>;
  removeManifest(repository: Repository, digest: Digest): Promise<Refusal | undefined>;
  removeBlob(repository: Repository, digest: Digest): Promise<Refusal | undefined>;
  /**
   * @param startedBy account id, for the number of uploads that one principal may have open.
   * @returns TOOMANYREQUESTS when there are as many (threat P-21).
   */
  startUpload(
    repository: Repository,
    algorithm: DigestAlgorithm,
    startedBy: string,
  ): Promise<UploadProgress | Refusal>;
  /** Appends one chunk. A chunk out of order is refused with 416 and changes nothing. */
  appendUpload(repository: Repository, state: string, body: UploadBody): Promise<UploadProgress | Refusal>;
  /** Appends the last chunk, if any, and publishes the blob when its digest is right; DIGEST_INVALID otherwise. */
  finishUpload(
    repository: Repository,
    state: string,
    digest: Digest,
    body: UploadBody,
  ): Promise<{ readonly size: number } | Refusal>;
  findUpload(repository: Repository, state: string): Promise<UploadProgress | undefined>;
  cancelUpload(repository: Repository, state: string): Promise<boolean>;
  /** Makes the blob of `from` available in `repository`; `undefined`: cannot, upload it. The caller checked the rights. */
  mount(
    repository: Repository,
    from: Repository,
    digest: Digest,
  ): Promise<{ readonly size: number } | undefined>;
  /** For /readyz and doctor. */
  check(): Promise<{ readonly isHealthy: boolean; readonly note: string }>;
  close(): Promise<void>;
}
