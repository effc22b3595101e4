import { createWriteStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import {
  algorithmOf,
  type Descriptor,
  type Digest,
  Fault,
  hexOf,
  parseManifest,
  shortDigest,
} from '../../oci/index.ts';
import type { ScanTarget } from '../../verdicts/index.ts';
import { Unscannable } from '../layers/limits.ts';
import { readBytes } from '../layers/read-bytes.ts';

/**
 * Writes an image as an OCI image layout of its own, for programs that read one.
 *
 * @param bytesMax of config and layers together.
 * @throws {Unscannable} it is too large, or a part of it is not in the registry.
 * @see OCI image-spec 1.1, image-layout.md
 */
export async function writeLayout(
  directory: string,
  target: ScanTarget,
  { bytesMax, signal }: { readonly bytesMax: number; readonly signal: AbortSignal },
): Promise<void> {
  const parsed = parseManifest(target.manifest, target.mediaType);
  if (!parsed.ok) throw new Unscannable(parsed.problem);
  const { config, layers } = parsed.manifest;
  const blobs = new Map([...layers, ...(config ? [config] : [])].map((blob) => [blob.digest, blob]));
  const bytes = [...blobs.values()].reduce((sum, { size }) => sum + size, 0);
  if (bytes > bytesMax) throw new Unscannable(`larger than ${bytesMax} bytes`);
  const size = target.manifest.length;
  const manifests = [{ mediaType: target.mediaType, digest: target.digest, size }];
  await writeFile(join(directory, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  await writeFile(join(directory, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
  await writeFile(await placeOf(directory, target.digest), target.manifest);
  for (const blob of blobs.values())
    await writeBlob(await placeOf(directory, blob.digest), blob, target, signal);
}

async function placeOf(directory: string, digest: Digest): Promise<string> {
  const folder = join(directory, 'blobs', algorithmOf(digest));
  await mkdir(folder, { recursive: true });
  return join(folder, hexOf(digest));
}

async function writeBlob(
  path: string,
  blob: Descriptor,
  target: ScanTarget,
  signal: AbortSignal,
): Promise<void> {
  try {
    await pipeline(readBytes(await target.openBlob(blob), signal), createWriteStream(path));
  } catch (error) {
    if (error instanceof Fault && error.ociCode === 'BLOB_UNKNOWN') {
      throw new Unscannable(`blob ${shortDigest(blob.digest)} is not in the registry`);
    }
    throw error;
  }
}
