import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { Source, UploadProgress } from '../../src/content/index.ts';
import {
  type Digest,
  type DigestAlgorithm,
  isRefusal,
  parseDigest,
  parseManifest,
  parseRepository,
  parseTag,
  type Refusal,
  type Repository,
  type Tag,
} from '../../src/oci/index.ts';
import { type BuiltBlob, type BuiltImage, type BuiltIndex, buildImage } from '../support/image.ts';
import { receiveUpload, type UploadShape } from '../support/upload-body.ts';

/** An empty registry as the contract suite gets it. */
export interface SourceUnderTest {
  readonly source: Source;
  /**
   * What the gateway does once a blob is in the registry: links it to the repository as pending. Nothing to do for a
   * registry that does so by itself.
   */
  link(repository: Repository, digest: Digest, size: number): Promise<void>;
  close(): Promise<void>;
}

export function repositoryOf(text: string): Repository {
  return parsed(text, parseRepository(text));
}

export function tagOf(text: string): Tag {
  return parsed(text, parseTag(text));
}

export function digestIn(bytes: string | Uint8Array, algorithm: DigestAlgorithm = 'sha256'): Digest {
  const text = `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;
  return parsed(text, parseDigest(text));
}

function parsed<T>(text: string, value: T | undefined): T {
  if (value === undefined) throw new Error(`${text} cannot be read`);
  return value;
}

export async function append(
  { source }: SourceUnderTest,
  repository: Repository,
  state: string,
  shape: UploadShape,
): Promise<UploadProgress | Refusal> {
  const received = await receiveUpload(shape);
  try {
    return await source.appendUpload(repository, state, received.body);
  } finally {
    received.close();
  }
}

/** The last request of an upload, as the gateway makes it: what was taken is linked. */
export async function finish(
  bench: SourceUnderTest,
  repository: Repository,
  state: string,
  digest: Digest,
  shape: UploadShape = { contentLength: 0 },
): Promise<{ readonly size: number } | Refusal> {
  const received = await receiveUpload({ method: 'PUT', ...shape });
  try {
    const finished = await bench.source.finishUpload(repository, state, digest, received.body);
    if (!isRefusal(finished)) await bench.link(repository, digest, finished.size);
    return finished;
  } finally {
    received.close();
  }
}

export function accepted<T>(result: T | Refusal): Exclude<T, Refusal> {
  assert.ok(!isRefusal(result), `refused: ${JSON.stringify(result)}`);
  // Checked in the line above; the compiler does not narrow a type parameter.
  return result as Exclude<T, Refusal>;
}

export function refused(result: unknown): Refusal {
  assert.ok(isRefusal(result), `not refused: ${JSON.stringify(result)}`);
  return result;
}

export async function pushBlob(
  bench: SourceUnderTest,
  repository: Repository,
  bytes: Uint8Array,
): Promise<Digest> {
  const digest = digestIn(bytes);
  const { state } = accepted(await bench.source.startUpload(repository, 'sha256', 'u1'));
  // An empty chunk would end a chunked body.
  const chunks = bytes.length > 0 ? [bytes] : [];
  const progress = accepted(await append(bench, repository, state, { chunks }));
  assert.equal(progress.offset, bytes.length);
  assert.deepEqual(await finish(bench, repository, progress.state, digest), { size: bytes.length });
  return digest;
}

export async function pushManifest(
  { source }: SourceUnderTest,
  repository: Repository,
  built: BuiltImage | BuiltIndex,
  tags: readonly Tag[],
): Promise<Refusal | undefined> {
  const read = parseManifest(built.manifest, built.mediaType);
  assert.ok(read.ok);
  const { digest, mediaType, manifest: bytes } = built;
  return source.pushManifest({
    repository,
    digest,
    tags,
    tagRights: { mayCreate: true, mayOverwrite: true },
    mediaType,
    bytes,
    manifest: read.manifest,
    pushedBy: 'u1',
  });
}

export async function pushImage(
  bench: SourceUnderTest,
  repository: Repository,
  tags: readonly Tag[],
  image?: BuiltImage,
): Promise<BuiltImage> {
  const built = image ?? (await buildImage());
  for (const blob of blobsOf(built)) await pushBlob(bench, repository, blob.bytes);
  assert.equal(await pushManifest(bench, repository, built, tags), undefined);
  return built;
}

export function blobsOf(image: BuiltImage): readonly BuiltBlob[] {
  return [image.config, ...image.layers];
}
