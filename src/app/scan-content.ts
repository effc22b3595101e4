import type { Readable } from 'node:stream';
import type { Content, LinkReads } from '../content/index.ts';
import type { Sources } from '../gateway/index.ts';
import { type Descriptor, type Digest, Fault, MANIFEST_BYTES_MAX, type Repository } from '../oci/index.ts';
import type { ScanTarget } from '../verdicts/index.ts';

/** What a scan reads is gone from its registry; the scan is tried again and in the end given up. */
class ScanContentMissing extends Fault {
  constructor(digest: Digest) {
    super('DG_SCAN_CONTENT_MISSING', 'BLOB_UNKNOWN', `the registry does not have ${digest} any more`);
  }
}

/**
 * Gives scanners the content of an image: from the content store, else from its registry through the store, so that
 * the pull that follows finds it there.
 */
export function createScanContent(parts: {
  readonly content: Content;
  readonly links: LinkReads;
  readonly sources: Sources;
}): { openTarget(repository: Repository, digest: Digest): Promise<ScanTarget | undefined> } {
  return {
    async openTarget(repository, digest) {
      const located = parts.sources.locate(repository);
      const linked = await parts.links.findManifest(repository, digest);
      const kept = linked && (await parts.content.read(digest, MANIFEST_BYTES_MAX));
      const found =
        linked && kept
          ? { mediaType: linked.mediaType, bytes: kept }
          : await located?.source.readManifest(located.name, digest);
      if (!found) return undefined;
      return {
        repository,
        digest,
        mediaType: found.mediaType,
        manifest: found.bytes,
        openBlob: (descriptor) => openBlob(parts, repository, descriptor),
      };
    },
  };
}

async function openBlob(
  parts: { readonly content: Content; readonly links: LinkReads; readonly sources: Sources },
  repository: Repository,
  descriptor: Descriptor,
): Promise<Readable> {
  // A layer that lies elsewhere is not ours to read for another repository: its findings would tell what that holds.
  if (descriptor.urls.length > 0 && !(await parts.links.findBlob(repository, descriptor.digest))) {
    throw new ScanContentMissing(descriptor.digest);
  }
  const kept = await parts.content.open(descriptor.digest);
  if (kept) return kept.stream;
  const located = parts.sources.locate(repository);
  if (!located || located.source.kind === 'origin') throw new ScanContentMissing(descriptor.digest);
  const fill = await parts.content.fill(descriptor.digest, descriptor.size, async () => {
    const opened = await located.source.openBlob(located.name, descriptor.digest);
    if (!opened) throw new ScanContentMissing(descriptor.digest);
    return opened.stream;
  });
  return fill.stream();
}
