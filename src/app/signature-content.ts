import { type Content, isContentOf, type LinkReads, takeManifest } from '../content/index.ts';
import type { ReferrerImports, Sources } from '../gateway/index.ts';
import {
  type Descriptor,
  type Digest,
  MANIFEST_BYTES_MAX,
  parseTag,
  type Repository,
  type Tag,
} from '../oci/index.ts';
import type { SignatureContent } from '../trust/index.ts';

interface Parts {
  readonly content: Pick<Content, 'read' | 'open'>;
  readonly links: Pick<LinkReads, 'findTag' | 'findManifest' | 'listReferrers' | 'indexesNaming'>;
  readonly sources: Sources;
  readonly referrers: ReferrerImports;
}

/** Referrers of other types hold no signature that is verified here. */
const SIGNATURE_TYPES = [
  'application/vnd.dev.sigstore.bundle.v0.3+json',
  'application/vnd.dev.cosign.artifact.sig.v1+json',
  'application/vnd.cncf.notary.signature',
];
/** Of one type, on one digest; whoever may push more in its place may as well remove the image. */
const REFERRERS_MAX = 100;
const INDEXES_MAX = 50;
const SUFFIXES = ['sig', 'att'];

/** Finds signatures where clients put them: among the referrers, and under tags that are named after the digest. */
export function createSignatureContent(parts: Parts): SignatureContent {
  return {
    listIndexes: (repository, digest) => parts.links.indexesNaming(repository, digest, INDEXES_MAX),
    async listSignatures(repository, digest) {
      await parts.referrers.bring(repository, digest);
      const found = new Set<Digest>();
      for (const artifactType of SIGNATURE_TYPES) {
        const filter = { artifactType, limit: REFERRERS_MAX };
        for (const one of await parts.links.listReferrers(repository, digest, filter)) found.add(one.digest);
      }
      for (const suffix of SUFFIXES) {
        const tag = parseTag(`${digest.replace(':', '-')}.${suffix}`);
        const tagged = tag && (await resolve(parts, repository, tag));
        if (tagged) found.add(tagged);
      }
      return [...found];
    },
    async openLayers(repository, digest) {
      const manifest = await readManifest(parts, repository, digest);
      const parsed = manifest && takeManifest(manifest.bytes, manifest.mediaType);
      if (!parsed?.ok) return undefined;
      return parsed.manifest.layers.map((descriptor) => ({
        descriptor,
        read: () => readBlob(parts, repository, descriptor),
      }));
    },
  };
}

async function resolve(
  { links, sources }: Parts,
  repository: Repository,
  tag: Tag,
): Promise<Digest | undefined> {
  const located = sources.locate(repository);
  if (located?.source.kind === 'upstream') return located.source.resolve(located.name, tag);
  return links.findTag(repository, tag);
}

async function readManifest({ content, links, sources }: Parts, repository: Repository, digest: Digest) {
  const linked = await links.findManifest(repository, digest);
  const kept = linked && (await content.read(digest, MANIFEST_BYTES_MAX));
  if (kept) return { mediaType: linked.mediaType, bytes: kept };
  const located = sources.locate(repository);
  return located?.source.readManifest(located.name, digest);
}

/** A layer that says that it lies elsewhere is not looked for here: it could be another repository's. */
async function readBlob(
  { content, sources }: Parts,
  repository: Repository,
  { digest, size, urls }: Descriptor,
): Promise<Uint8Array | undefined> {
  if (urls.length > 0) return undefined;
  const kept = await content.open(digest);
  const located = sources.locate(repository);
  const stream =
    kept?.stream ??
    (located?.source.kind === 'upstream'
      ? (await located.source.openBlob(located.name, digest))?.stream
      : undefined);
  if (!stream) return undefined;
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    const part = Buffer.from(chunk);
    bytes += part.length;
    // More than the manifest says: it is not that content, whoever sends it. Leaving the loop ends the stream.
    if (bytes > size) return undefined;
    chunks.push(part);
  }
  const read = Buffer.concat(chunks);
  return isContentOf(read, digest) ? read : undefined;
}
