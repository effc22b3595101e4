import type { Manifest } from './manifest.ts';

/** What a manifest says of its own size and parts. */
export interface ManifestShape {
  /** Bytes of manifest, config and layers together. */
  readonly sizeBytes: number;
  readonly layerCount: number;
  /** Of the manifest, its config and its layers or children; each once. */
  readonly mediaTypes: readonly string[];
}

/** @param manifestBytes size of the manifest itself */
export function shapeOf(manifest: Manifest, manifestBytes: number): ManifestShape {
  const parts = [...(manifest.config ? [manifest.config] : []), ...manifest.layers, ...manifest.manifests];
  const sizes = [...(manifest.config ? [manifest.config] : []), ...manifest.layers].map((part) => part.size);
  return {
    sizeBytes: Math.min(
      Number.MAX_SAFE_INTEGER,
      sizes.reduce((sum, size) => sum + size, manifestBytes),
    ),
    layerCount: manifest.layers.length,
    mediaTypes: [...new Set([manifest.mediaType, ...parts.map((part) => part.mediaType)])],
  };
}
