import { hash } from 'node:crypto';
import type { Reports } from '../api/index.ts';
import { type Clock, HOUR_MS } from '../base/index.ts';
import type { Content, LinkWrites } from '../content/index.ts';
import type { Sources } from '../gateway/index.ts';
import { type Digest, MEDIA_TYPES, parseManifest } from '../oci/index.ts';
import { readReport } from '../scanners/index.ts';

/** Pending links of what is attached live so long; the manifest names both in the next moment. */
const PENDING_MS = HOUR_MS;

/** What the API needs for scan results that come from elsewhere. */
export function createReports(parts: {
  readonly sources: Sources;
  readonly content: Content;
  readonly linkWrites: Pick<LinkWrites, 'linkBlob'>;
  readonly clock: Clock;
}): Reports {
  return {
    read: readReport,
    async readImage(repository, digest) {
      const located = parts.sources.locate(repository);
      const found = await located?.source.readManifest(located.name, digest);
      const parsed = found && parseManifest(found.bytes, found.mediaType);
      if (!parsed?.ok) return undefined;
      const { kind, config } = parsed.manifest;
      return { kind, ...(config ? { config: config.digest } : {}) };
    },
    async attach(repository, subject, { artifactType, digest, size }, pushedBy) {
      const located = parts.sources.locate(repository);
      // A registry behind us gets nothing that its own users did not push.
      if (located?.source.kind !== 'origin') return false;
      const found = await located.source.readManifest(located.name, subject);
      if (!found) return false;
      const empty = Buffer.from('{}');
      const config = { mediaType: MEDIA_TYPES.ociEmpty, digest: digestOf(empty), size: empty.length };
      await parts.content.put(config.digest, empty);
      for (const blob of [config, { digest, size }]) {
        const untilMs = parts.clock.nowMs() + PENDING_MS;
        await parts.linkWrites.linkBlob({ repository, ...pick(blob), owner: 'pending', untilMs });
      }
      const bytes = Buffer.from(
        JSON.stringify({
          schemaVersion: 2,
          mediaType: MEDIA_TYPES.ociManifest,
          artifactType,
          config,
          layers: [{ mediaType: artifactType, digest, size }],
          subject: { mediaType: found.mediaType, digest: subject, size: found.bytes.length },
        }),
      );
      const parsed = parseManifest(bytes, MEDIA_TYPES.ociManifest);
      if (!parsed.ok) throw new Error(`an SBOM's manifest cannot be read: ${parsed.problem}`);
      const refusal = await located.source.pushManifest({
        ...{ repository: located.name, digest: digestOf(bytes), bytes, manifest: parsed.manifest, pushedBy },
        ...{
          mediaType: MEDIA_TYPES.ociManifest,
          tags: [],
          tagRights: { mayCreate: false, mayOverwrite: false },
        },
      });
      return refusal === undefined;
    },
  };
}

function pick({ digest, size }: { readonly digest: Digest; readonly size: number }) {
  return { digest, size };
}

function digestOf(bytes: Uint8Array): Digest {
  // A hash in hex is a digest by its form.
  return `sha256:${hash('sha256', bytes)}` as Digest;
}
