export const MEDIA_TYPES = {
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  ociConfig: 'application/vnd.oci.image.config.v1+json',
  ociEmpty: 'application/vnd.oci.empty.v1+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerIndex: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  dockerSchema1: 'application/vnd.docker.distribution.manifest.v1+json',
  dockerSchema1Signed: 'application/vnd.docker.distribution.manifest.v1+prettyjws',
} as const;

/** Every manifest type we read; what we send as Accept to a registry behind us. */
export const MANIFEST_TYPES: readonly string[] = [
  MEDIA_TYPES.ociManifest,
  MEDIA_TYPES.ociIndex,
  MEDIA_TYPES.dockerManifest,
  MEDIA_TYPES.dockerIndex,
];

/**
 * By their beginnings and in any case: clients take what follows for a compression or an annotation of the same
 * thing, and whatever they would unpack must be judged as what is unpacked.
 */
const IMAGE_LAYER = /^application\/vnd\.(?:oci\.image\.layer\.|docker\.image\.rootfs\.)/i;
const IMAGE_CONFIG = /^application\/vnd\.(?:oci\.image\.config\.|docker\.container\.image\.)/i;
/** Docker runs an image whose config bears one of these: old builders wrote them. @see moby daemon/pkg/registry */
const TAKEN_FOR_CONFIG: ReadonlySet<string> = new Set([
  'application/octet-stream',
  'application/json',
  'text/html',
]);

/** Whether some client takes a config of this type for that of an image to run. */
export function isImageConfigType(mediaType: string): boolean {
  return IMAGE_CONFIG.test(mediaType) || TAKEN_FOR_CONFIG.has(mediaType.toLowerCase());
}

/** Whether a descriptor's type says "a layer of a root file system". */
export function isImageLayerType(mediaType: string): boolean {
  return IMAGE_LAYER.test(mediaType);
}

export function isIndexType(mediaType: string): boolean {
  return mediaType === MEDIA_TYPES.ociIndex || mediaType === MEDIA_TYPES.dockerIndex;
}

export function isSchema1Type(mediaType: string): boolean {
  return mediaType === MEDIA_TYPES.dockerSchema1 || mediaType === MEDIA_TYPES.dockerSchema1Signed;
}

/** The media type of a Content-Type header: lower case, without parameters (which are to be ignored). */
export function mediaTypeOf(header: string | undefined): string | undefined {
  const type = header?.split(';', 1)[0]?.trim().toLowerCase();
  return type === '' ? undefined : type;
}
