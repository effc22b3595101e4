import type { Descriptor, Digest, Repository } from '../oci/index.ts';

/** Port: what a repository holds that may be a signature. Implemented where links and registries meet. */
export interface SignatureContent {
  /**
   * Manifests that may hold signatures on the digest: its referrers of their types, and what is tagged by its name.
   *
   * @throws {Fault} the registry is away.
   */
  listSignatures(repository: Repository, digest: Digest): Promise<readonly Digest[]>;
  /** Indexes of the repository that list the digest as a child. */
  listIndexes(repository: Repository, digest: Digest): Promise<readonly Digest[]>;
  /**
   * The layers of one of those manifests; `undefined` when the repository does not hold it.
   *
   * @throws {Fault} the registry is away.
   */
  openLayers(repository: Repository, manifest: Digest): Promise<readonly SignatureLayer[] | undefined>;
}

export interface SignatureLayer {
  readonly descriptor: Descriptor;
  /**
   * The whole blob, as the descriptor names it; `undefined` when the repository does not hold it.
   * @throws {Fault} the registry is away.
   */
  read(): Promise<Uint8Array | undefined>;
}
