/** Content by digest: serve it, verify it while it streams, know who owns it. Entered by gateway/, origin/, upstream/. */
export type {
  BlobOwner,
  LinkReads,
  LinkResult,
  LinkWrites,
  NewManifestLink,
  Page,
  Source,
  StoredManifest,
  UploadBody,
  UploadProgress,
} from './ports.ts';
