/**
 * The words of the OCI specifications: parse, print, error codes. Pure; text from outside becomes a branded value
 * here or is refused, and nobody inside checks it again. Entered by every room.
 */

export type { OciCode, Refusal, RefusalOptions } from './errors.ts';
export { errorBody, Fault, isRefusal, plainMessage, refuse, statusOf } from './errors.ts';
export type { Descriptor, EmbeddedContent, Manifest, ManifestKind, ManifestResult } from './manifest.ts';
export { isAttestationChild, MANIFEST_BYTES_MAX, namedBy, parseManifest } from './manifest.ts';
export {
  isImageLayerType,
  isIndexType,
  isSchema1Type,
  MANIFEST_TYPES,
  MEDIA_TYPES,
  mediaTypeOf,
} from './media-types.ts';
export type { Digest, DigestAlgorithm, Reference, Repository, Tag } from './names.ts';
export {
  algorithmOf,
  hexOf,
  parseDigest,
  parseReference,
  parseRepository,
  parseTag,
  printReference,
  shortDigest,
} from './names.ts';
export type { Pattern, PatternResult } from './pattern.ts';
export { matchesPattern, matchesStars, parsePattern } from './pattern.ts';
export type { Cover, CoverResult } from './pattern-cover.ts';
export { findUncovered } from './pattern-cover.ts';
export type { ByteRange } from './range.ts';
export { parseChunkRange, parseRange } from './range.ts';
export type { ManifestShape } from './shape.ts';
export { shapeOf } from './shape.ts';
export type { JsonResult, JsonValue } from './strict-json.ts';
export { foldKey, parseStrictJson } from './strict-json.ts';
