import assert from 'node:assert/strict';
import type { Source } from '../../src/content/index.ts';
import {
  type Digest,
  parseManifest,
  parseRepository,
  parseTag,
  type Refusal,
  type Repository,
  type Tag,
} from '../../src/oci/index.ts';
import { type BuiltBlob, type BuiltImage, buildImage, digestOf } from '../support/image.ts';
import { receiveUpload, type UploadShape } from '../support/upload-body.ts';

export function repositoryOf(text: string): Repository {
  const repository = parseRepository(text);
  assert.ok(repository);
  return repository;
}

export function tagOf(text: string): Tag {
  const tag = parseTag(text);
  assert.ok(tag);
  return tag;
}

export async function append(source: Source, repository: Repository, state: string, shape: UploadShape) {
  const received = await receiveUpload(shape);
  try {
    return await source.appendUpload(repository, state, received.body);
  } finally {
    received.close();
  }
}

export async function finish(
  source: Source,
  repository: Repository,
  state: string,
  digest: Digest,
  shape: UploadShape = { contentLength: 0 },
) {
  const received = await receiveUpload({ method: 'PUT', ...shape });
  try {
    return await source.finishUpload(repository, state, digest, received.body);
  } finally {
    received.close();
  }
}

export function accepted<T extends object>(result: T | Refusal): Exclude<T, Refusal> {
  if ('message' in result) throw new Error(`refused: ${JSON.stringify(result)}`);
  return result as Exclude<T, Refusal>;
}

export function refused(result: object | undefined): Refusal {
  assert.ok(result && 'message' in result && 'status' in result, `not refused: ${JSON.stringify(result)}`);
  return result as Refusal;
}

export async function pushBlob(source: Source, repository: Repository, bytes: Uint8Array): Promise<Digest> {
  const digest = digestOf(bytes);
  const { state } = accepted(await source.startUpload(repository, 'sha256', 'u1'));
  const progress = accepted(await append(source, repository, state, { chunks: [bytes] }));
  assert.equal(progress.offset, bytes.length);
  assert.deepEqual(await finish(source, repository, progress.state, digest), { size: bytes.length });
  return digest;
}

export async function pushImage(source: Source, repository: Repository, tags: readonly Tag[]) {
  const image = await buildImage();
  for (const blob of blobsOf(image)) await pushBlob(source, repository, blob.bytes);
  const read = parseManifest(image.manifest, image.mediaType);
  assert.ok(read.ok);
  const refusal = await source.pushManifest({
    repository,
    tags,
    pushedBy: 'u1',
    digest: image.digest,
    mediaType: image.mediaType,
    bytes: image.manifest,
    manifest: read.manifest,
  });
  assert.equal(refusal, undefined);
  return image;
}

export function blobsOf(image: BuiltImage): readonly BuiltBlob[] {
  return [image.config, ...image.layers];
}
