import { createCipheriv, createHash } from 'node:crypto';
import type { Digest } from '../../src/oci/index.ts';
import { type BuiltBlob, type BuiltImage, buildImage } from '../support/image.ts';

/** What a process that pushes tells of its progress. */
export type PushEvent =
  | { readonly kind: 'ready' }
  | { readonly kind: 'begun'; readonly name: string; readonly digest: Digest; readonly state: string }
  /** Of a blob: it is acknowledged. */
  | { readonly kind: 'stored'; readonly name: string; readonly digest: Digest }
  | { readonly kind: 'tagging' | 'tagged'; readonly name: string; readonly digest: Digest };

/** An image that follows from its name, so that two processes know its bytes. */
export function imageOf(name: string): Promise<BuiltImage> {
  const key = createHash('sha256').update(name).digest();
  const noise = createCipheriv('aes-256-ctr', key, Buffer.alloc(16));
  const bytes = noise.update(Buffer.alloc(300_000 + key.readUInt16BE(0) * 10));
  return buildImage({
    layers: [{ bytes }],
    config: { created: '2026-01-01T00:00:00Z', labels: { name } },
  });
}

export function blobsOf(image: BuiltImage): readonly BuiltBlob[] {
  return [image.config, ...image.layers];
}
