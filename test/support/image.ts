/**
 * Builds small images, indexes and artifacts in memory for tests, and writes them as an OCI layout that
 * `skopeo copy oci:DIR:TAG docker://…` can push.
 */
import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { type Digest, MEDIA_TYPES, parseDigest } from '../../src/oci/index.ts';

/** One file of a layer; a regular file of mode 0644 unless said otherwise. */
export interface ImageEntry {
  readonly path: string;
  readonly data?: string | Uint8Array;
  readonly mode?: number;
  readonly type?: 'file' | 'directory' | 'symlink' | 'link' | 'character-device' | 'block-device' | 'fifo';
  readonly linkname?: string;
}

export interface BuiltBlob {
  readonly bytes: Uint8Array;
  readonly digest: Digest;
  readonly mediaType: string;
}

/** A layer: its entries, or its exact bytes. */
export type LayerSource =
  | readonly ImageEntry[]
  | { readonly bytes: Uint8Array; readonly mediaType?: string; readonly diffId?: Digest };

export interface ImageConfigOptions {
  readonly user?: string;
  readonly env?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly cmd?: readonly string[];
  readonly entrypoint?: readonly string[];
  /** As in a Dockerfile's HEALTHCHECK: `['CMD', 'true']`; absent: none is written. */
  readonly healthcheck?: readonly string[];
  readonly exposedPorts?: readonly string[];
  readonly volumes?: readonly string[];
  /** RFC 3339. Default: one day before now, so that no age rule minds it. */
  readonly created?: string;
  /** The `created_by` of each step. */
  readonly history?: readonly string[];
  readonly architecture?: string;
  readonly os?: string;
}

export interface ImageOptions {
  /** Default: one layer with `/etc/hostname`. */
  readonly layers?: readonly LayerSource[];
  readonly config?: ImageConfigOptions;
  /** The config blob's exact bytes, in place of `config`. */
  readonly configBytes?: Uint8Array;
  readonly compression?: 'gzip' | 'zstd' | 'none';
  readonly mediaTypes?: 'oci' | 'docker';
  readonly annotations?: Readonly<Record<string, string>>;
  readonly subject?: BuiltManifest;
}

interface BuiltManifest {
  readonly manifest: Uint8Array;
  readonly mediaType: string;
  readonly digest: Digest;
}

export interface BuiltImage extends BuiltManifest {
  readonly config: BuiltBlob;
  readonly layers: readonly BuiltBlob[];
  readonly platform: { readonly os: string; readonly architecture: string };
}

export interface BuiltIndex extends BuiltManifest {
  readonly children: readonly BuiltImage[];
}

export function digestOf(bytes: Uint8Array): Digest {
  const digest = parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`);
  if (!digest) throw new Error('a sha256 is always a digest');
  return digest;
}

/** The tar bytes of these entries, uncompressed. */
export async function buildTar(entries: readonly ImageEntry[]): Promise<Uint8Array> {
  const tar = pack();
  const bytes = buffer(tar);
  for (const entry of entries) {
    const data = Buffer.from(entry.data ?? '');
    tar.entry(
      {
        name: entry.path.replace(/^\/+/, ''),
        mode: entry.mode ?? (entry.type === 'directory' ? 0o755 : 0o644),
        type: entry.type ?? 'file',
        mtime: new Date(0),
        ...(entry.linkname === undefined ? {} : { linkname: entry.linkname }),
      },
      data,
    );
  }
  tar.finalize();
  return bytes;
}

export async function buildImage(options: ImageOptions = {}): Promise<BuiltImage> {
  const docker = options.mediaTypes === 'docker';
  const sources = options.layers ?? [[{ path: 'etc/hostname', data: 'image\n' }]];
  const built = await Promise.all(
    sources.map((source) => buildLayer(source, options.compression ?? 'gzip', docker)),
  );
  const layers = built.map(({ blob }) => blob);
  const platform = {
    os: options.config?.os ?? 'linux',
    architecture: options.config?.architecture ?? 'amd64',
  };
  const config = blobOf(
    options.configBytes ??
      toJson(
        configOf(
          options.config ?? {},
          built.map(({ diffId }) => diffId),
          platform,
        ),
      ),
    docker ? MEDIA_TYPES.dockerConfig : MEDIA_TYPES.ociConfig,
  );
  const mediaType = docker ? MEDIA_TYPES.dockerManifest : MEDIA_TYPES.ociManifest;
  const manifest = toJson({
    schemaVersion: 2,
    mediaType,
    config: descriptorOf(config),
    layers: layers.map(descriptorOf),
    ...(options.subject ? { subject: subjectOf(options.subject) } : {}),
    ...(options.annotations ? { annotations: options.annotations } : {}),
  });
  return { manifest, mediaType, digest: digestOf(manifest), config, layers, platform };
}

/** An artifact manifest (a signature, an SBOM): the empty config and these blobs. */
export function buildArtifact(options: {
  readonly artifactType: string;
  readonly blobs: readonly { readonly bytes: Uint8Array; readonly mediaType: string }[];
  readonly subject?: BuiltManifest;
  readonly annotations?: Readonly<Record<string, string>>;
}): BuiltImage {
  const config = blobOf(new TextEncoder().encode('{}'), MEDIA_TYPES.ociEmpty);
  const layers = options.blobs.map((blob) => blobOf(blob.bytes, blob.mediaType));
  const manifest = toJson({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    artifactType: options.artifactType,
    config: descriptorOf(config),
    layers: layers.map(descriptorOf),
    ...(options.subject ? { subject: subjectOf(options.subject) } : {}),
    ...(options.annotations ? { annotations: options.annotations } : {}),
  });
  const platform = { os: 'unknown', architecture: 'unknown' };
  return {
    manifest,
    mediaType: MEDIA_TYPES.ociManifest,
    digest: digestOf(manifest),
    config,
    layers,
    platform,
  };
}

export function buildIndex(
  children: readonly BuiltImage[],
  options: { readonly mediaTypes?: 'oci' | 'docker' } = {},
): BuiltIndex {
  const mediaType = options.mediaTypes === 'docker' ? MEDIA_TYPES.dockerIndex : MEDIA_TYPES.ociIndex;
  const manifests = children.map((child) => ({ ...subjectOf(child), platform: child.platform }));
  const manifest = toJson({ schemaVersion: 2, mediaType, manifests });
  return { manifest, mediaType, digest: digestOf(manifest), children };
}

/**
 * Writes an OCI layout to `directory`, each key a tag. skopeo's `oci:` transport takes OCI media types only.
 * @see OCI image-spec 1.1, image-layout.md
 */
export async function writeOciLayout(
  directory: string,
  tags: Readonly<Record<string, BuiltImage | BuiltIndex>>,
): Promise<void> {
  const blobs = path.join(directory, 'blobs', 'sha256');
  await mkdir(blobs, { recursive: true });
  const write = (digest: Digest, bytes: Uint8Array): Promise<void> =>
    writeFile(path.join(blobs, digest.slice('sha256:'.length)), bytes);
  for (const item of Object.values(tags)) {
    await write(item.digest, item.manifest);
    for (const image of 'children' in item ? item.children : [item]) {
      await write(image.digest, image.manifest);
      for (const blob of [image.config, ...image.layers]) await write(blob.digest, blob.bytes);
    }
  }
  const manifests = Object.entries(tags).map(([tag, item]) => ({
    ...subjectOf(item),
    annotations: { 'org.opencontainers.image.ref.name': tag },
  }));
  await writeFile(path.join(directory, 'oci-layout'), toJson({ imageLayoutVersion: '1.0.0' }));
  await writeFile(
    path.join(directory, 'index.json'),
    toJson({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests }),
  );
}

async function buildLayer(
  source: LayerSource,
  compression: 'gzip' | 'zstd' | 'none',
  docker: boolean,
): Promise<{ readonly blob: BuiltBlob; readonly diffId: Digest }> {
  const suffix = { gzip: docker ? '.gzip' : '+gzip', zstd: docker ? '.zstd' : '+zstd', none: '' };
  const base = docker
    ? 'application/vnd.docker.image.rootfs.diff.tar'
    : 'application/vnd.oci.image.layer.v1.tar';
  if ('bytes' in source) {
    const blob = blobOf(source.bytes, source.mediaType ?? base + suffix[compression]);
    return { blob, diffId: source.diffId ?? blob.digest };
  }
  const tar = await buildTar(source);
  const bytes = compression === 'gzip' ? gzipSync(tar) : compression === 'zstd' ? zstdCompressSync(tar) : tar;
  return { blob: blobOf(bytes, base + suffix[compression]), diffId: digestOf(tar) };
}

function configOf(
  options: ImageConfigOptions,
  diffIds: readonly Digest[],
  platform: { readonly os: string; readonly architecture: string },
): unknown {
  const created = options.created ?? new Date(Date.now() - 86_400_000).toISOString();
  return {
    ...platform,
    created,
    config: {
      ...(options.user === undefined ? {} : { User: options.user }),
      ...(options.env ? { Env: options.env } : {}),
      ...(options.labels ? { Labels: options.labels } : {}),
      ...(options.cmd ? { Cmd: options.cmd } : {}),
      ...(options.entrypoint ? { Entrypoint: options.entrypoint } : {}),
      ...(options.healthcheck ? { Healthcheck: { Test: options.healthcheck } } : {}),
      ...(options.exposedPorts
        ? { ExposedPorts: Object.fromEntries(options.exposedPorts.map((port) => [port, {}])) }
        : {}),
      ...(options.volumes ? { Volumes: Object.fromEntries(options.volumes.map((path) => [path, {}])) } : {}),
    },
    rootfs: { type: 'layers', diff_ids: diffIds },
    ...(options.history
      ? { history: options.history.map((step) => ({ created, created_by: step, empty_layer: true })) }
      : {}),
  };
}

function blobOf(bytes: Uint8Array, mediaType: string): BuiltBlob {
  return { bytes, digest: digestOf(bytes), mediaType };
}

function descriptorOf(blob: BuiltBlob): unknown {
  return { mediaType: blob.mediaType, digest: blob.digest, size: blob.bytes.length };
}

function subjectOf(item: BuiltManifest): { mediaType: string; digest: Digest; size: number } {
  return { mediaType: item.mediaType, digest: item.digest, size: item.manifest.length };
}

function toJson(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}
