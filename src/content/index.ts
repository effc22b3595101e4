/** Content by digest: serve it, verify it while it streams, know who owns it. Entered by gateway/, origin/, upstream/. */
export type { Content, ContentOptions } from './content.ts';
export { openContent } from './content.ts';
export { digestOf, isContentOf } from './digests.ts';
export { evictCached } from './eviction.ts';
export { ContentUnavailable, orUnavailable } from './faults.ts';
export { sweepTemporary } from './files.ts';
export type { Collected } from './garbage.ts';
export { collectGarbage, GARBAGE_AGE_MS } from './garbage.ts';
export type { TakePiece } from './hashed-files.ts';
export { hashFile } from './hashed-files.ts';
export type { LinkMemory, LinkMemoryOptions } from './link-memory.ts';
export { createLinkMemory } from './link-memory.ts';
export type {
  BlobOwner,
  Holder,
  Inventory,
  LinkReads,
  LinkResult,
  LinkWrites,
  NewManifestLink,
  Page,
  RepositoryUsage,
  Source,
  StoredManifest,
  TagRights,
  UploadBody,
  UploadProgress,
} from './ports.ts';
export type { QuotaState, Quotas } from './quotas.ts';
export { QuotaExceeded, quotaRefusal } from './quotas.ts';
export type { Scrub, ScrubOptions, ScrubParts } from './scrub.ts';
export { startScrub } from './scrub.ts';
export type { Fill } from './shared-fill.ts';
export type { Pourable } from './stored.ts';
export { takeManifest } from './take-manifest.ts';
export type { Flaw, Verified } from './verify.ts';
export { verifyFiles, verifyLinks } from './verify.ts';
