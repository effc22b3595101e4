import {
  isImageConfigType,
  isImageLayerType,
  isIndexType,
  isSchema1Type,
  MANIFEST_TYPES,
  MEDIA_TYPES,
} from './media-types.ts';
import { type Digest, parseDigest } from './names.ts';
import { foldKey, type JsonValue, parseStrictJson } from './strict-json.ts';

/** `{mediaType, digest, size}` and what may stand beside it. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly annotations: Readonly<Record<string, string>>;
  readonly artifactType?: string;
  /** Addresses outside the registry (non-distributable layers). Never fetched by us. */
  readonly urls: readonly string[];
  readonly platform?: { readonly os: string; readonly architecture: string; readonly variant?: string };
}

/** `image`: what a client could run. `artifact`: any other config; every blob inspected as a file. `index`: children. */
export type ManifestKind = 'image' | 'artifact' | 'index';

export interface Manifest {
  readonly kind: ManifestKind;
  readonly mediaType: string;
  /** What a referrers answer prints: the manifest's artifactType, else its config's media type. */
  readonly artifactType?: string;
  readonly config?: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly manifests: readonly Descriptor[];
  readonly subject?: Descriptor;
  readonly annotations: Readonly<Record<string, string>>;
}

/** A descriptor's `data`, decoded. */
export interface EmbeddedContent {
  readonly digest: Digest;
  readonly bytes: Uint8Array;
}

export type ManifestResult =
  | {
      readonly ok: true;
      readonly manifest: Manifest;
      /**
       * What config and layers carry inside the manifest. Not verified here, since that takes a hash: whoever lets
       * a manifest in refuses it unless each is what its digest names (threats V-17).
       */
      readonly embedded: readonly EmbeddedContent[];
    }
  | { readonly ok: false; readonly problem: string };

/** Accepted by the conformance suite's largest manifest; larger ones are answered 413. */
export const MANIFEST_BYTES_MAX = 4 * 1024 * 1024;
const CHILDREN_MAX = 1000;
const LAYERS_MAX = 1000;
const DESCRIPTOR_SIZE_MAX = Number.MAX_SAFE_INTEGER;

/** The fields that some parser knows, schema 1's among them. */
const MANIFEST_FIELDS = fieldsOf([
  'schemaVersion',
  'mediaType',
  'artifactType',
  'config',
  'layers',
  'manifests',
  'subject',
  'annotations',
  'fsLayers',
  'history',
  'signatures',
]);
const DESCRIPTOR_FIELDS = fieldsOf([
  'mediaType',
  'digest',
  'size',
  'urls',
  'annotations',
  'data',
  'artifactType',
  'platform',
]);
const PLATFORM_FIELDS = fieldsOf(['os', 'architecture', 'variant', 'os.version', 'os.features', 'features']);

class Invalid extends Error {}

/**
 * Reads a manifest's exact bytes.
 *
 * @param contentType the media type under which it was pushed or served; must agree with the one inside.
 * @returns the manifest, or one sentence that says what is wrong with it.
 * @see OCI image-spec 1.1, manifest.md and image-index.md; Docker image manifest v2 schema 2.
 */
export function parseManifest(bytes: Uint8Array, contentType: string | undefined): ManifestResult {
  if (contentType !== undefined && isSchema1Type(contentType)) {
    return { ok: false, problem: 'schema 1 manifests are not supported: push with a current client' };
  }
  const json = parseStrictJson(bytes);
  if (!json.ok) return { ok: false, problem: `manifest is not strict JSON: ${json.problem}` };
  try {
    const members = asStruct(json.value, 'manifest', MANIFEST_FIELDS);
    const embedded: EmbeddedContent[] = [];
    return { ok: true, manifest: readManifest(members, contentType, embedded), embedded };
  } catch (error) {
    if (error instanceof Invalid) return { ok: false, problem: error.message };
    throw error;
  }
}

type Members = { readonly [key: string]: JsonValue };

function readManifest(
  members: Members,
  contentType: string | undefined,
  embedded: EmbeddedContent[],
): Manifest {
  if (members.schemaVersion !== 2) throw new Invalid('schemaVersion must be 2');
  const mediaType = readMediaType(members, contentType);
  const annotations = readAnnotations(members.annotations);
  const subject = isAbsent(members.subject) ? undefined : readDescriptor(members.subject, 'subject');
  const base = { mediaType, annotations, ...(subject ? { subject } : {}) };
  return isIndexType(mediaType) ? readIndex(members, base) : readImage(members, base, embedded);
}

function readMediaType(members: Members, contentType: string | undefined): string {
  const inside = members.mediaType;
  if (inside !== undefined && typeof inside !== 'string') throw new Invalid('mediaType must be a string');
  const mediaType = inside ?? contentType;
  if (mediaType === undefined) throw new Invalid('mediaType is missing, and so is the Content-Type');
  if (contentType !== undefined && contentType !== mediaType) {
    throw new Invalid(`mediaType ${mediaType.slice(0, 100)} does not match the Content-Type`);
  }
  if (!MANIFEST_TYPES.includes(mediaType))
    throw new Invalid(`unsupported media type ${mediaType.slice(0, 100)}`);
  return mediaType;
}

type Base = Pick<Manifest, 'mediaType' | 'annotations' | 'subject'>;

function readIndex(members: Members, base: Base): Manifest {
  if (members.layers !== undefined || members.config !== undefined) {
    throw new Invalid('an index must have neither config nor layers');
  }
  const manifests = readDescriptors(members.manifests, 'manifests', CHILDREN_MAX);
  const artifactType = optionalText(members.artifactType, 'artifactType');
  return { kind: 'index', ...base, ...(artifactType ? { artifactType } : {}), layers: [], manifests };
}

function readImage(members: Members, base: Base, embedded: EmbeddedContent[]): Manifest {
  if (members.manifests !== undefined) throw new Invalid('a manifest must not have manifests');
  const config = readDescriptor(members.config, 'config', embedded);
  const layers = readDescriptors(members.layers, 'layers', LAYERS_MAX, embedded);
  const declared = optionalText(members.artifactType, 'artifactType');
  return {
    kind: isRunnable(base.mediaType, config, layers) ? 'image' : 'artifact',
    ...base,
    artifactType: declared ?? config.mediaType,
    config,
    layers,
    manifests: [],
  };
}

/**
 * What some client would run is an image, whatever it calls itself: for an artifact the rules about vulnerabilities,
 * settings and age do not apply. Podman looks at no config type in a Docker manifest.
 */
function isRunnable(mediaType: string, config: Descriptor, layers: readonly Descriptor[]): boolean {
  if (mediaType === MEDIA_TYPES.dockerManifest || isImageConfigType(config.mediaType)) return true;
  return layers.some((layer) => isImageLayerType(layer.mediaType));
}

function readDescriptors(
  value: JsonValue | undefined,
  where: string,
  countMax: number,
  embedded?: EmbeddedContent[],
): readonly Descriptor[] {
  if (!Array.isArray(value)) throw new Invalid(`${where} must be an array`);
  if (value.length > countMax) throw new Invalid(`${where} has more than ${countMax} entries`);
  return value.map((entry: JsonValue, index: number) =>
    readDescriptor(entry, `${where}[${index}]`, embedded),
  );
}

/** @param embedded takes what the descriptor carries inside; absent where nothing may be carried. */
function readDescriptor(
  value: JsonValue | undefined,
  where: string,
  embedded?: EmbeddedContent[],
): Descriptor {
  const members = asStruct(value, where, DESCRIPTOR_FIELDS);
  const mediaType = optionalText(members.mediaType, `${where}.mediaType`);
  if (!mediaType) throw new Invalid(`${where}.mediaType is missing`);
  const digest = typeof members.digest === 'string' ? parseDigest(members.digest) : undefined;
  if (!digest) throw new Invalid(`${where}.digest is not a sha256 or sha512 digest`);
  const size = members.size;
  if (typeof size !== 'number' || !Number.isInteger(size) || size < 0 || size > DESCRIPTOR_SIZE_MAX) {
    throw new Invalid(`${where}.size must be a whole number of bytes`);
  }
  if (members.data !== undefined) {
    const bytes = readData(members.data, size, where);
    if (embedded) embedded.push({ digest, bytes });
    else if (members.data !== EMPTY_OBJECT) {
      // A manifest inside an index or beside its subject would be read without being asked for, and so unjudged.
      throw new Invalid(`${where}.data: content is embedded in config and layers only`);
    }
  }
  const artifactType = optionalText(members.artifactType, `${where}.artifactType`);
  const platform = readPlatform(members.platform, where);
  return {
    mediaType,
    digest,
    size,
    annotations: readAnnotations(members.annotations),
    urls: readUrls(members.urls, where),
    ...(artifactType ? { artifactType } : {}),
    ...(platform ? { platform } : {}),
  };
}

/** `{}`, which the empty descriptor of image-spec 1.1 carries. */
const EMPTY_OBJECT = 'e30=';
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** RFC 4648 without line breaks: what some decoders skip and others refuse is refused. */
function readData(data: JsonValue, size: number, where: string): Uint8Array {
  if (typeof data !== 'string' || !BASE64.test(data)) throw new Invalid(`${where}.data is not base64`);
  const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
  if (bytes.length !== size)
    throw new Invalid(`${where}.data has ${bytes.length} bytes, its size says ${size}`);
  return bytes;
}

function readPlatform(value: JsonValue | undefined, where: string): Descriptor['platform'] {
  if (isAbsent(value)) return undefined;
  const members = asStruct(value, `${where}.platform`, PLATFORM_FIELDS);
  const variant = optionalText(members.variant, `${where}.platform.variant`);
  return {
    os: optionalText(members.os, `${where}.platform.os`) ?? '',
    architecture: optionalText(members.architecture, `${where}.platform.architecture`) ?? '',
    ...(variant ? { variant } : {}),
  };
}

function readUrls(value: JsonValue | undefined, where: string): readonly string[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value) || !value.every((url): url is string => typeof url === 'string')) {
    throw new Invalid(`${where}.urls must be an array of strings`);
  }
  return value;
}

function readAnnotations(value: JsonValue | undefined): Readonly<Record<string, string>> {
  if (value === undefined || value === null) return {};
  const annotations: Record<string, string> = Object.create(null);
  for (const [key, text] of Object.entries(asObject(value, 'annotations'))) {
    if (typeof text !== 'string') throw new Invalid('annotations must map strings to strings');
    annotations[key] = text;
  }
  return annotations;
}

function optionalText(value: JsonValue | undefined, where: string): string | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value !== 'string') throw new Invalid(`${where} must be a string`);
  return value;
}

/** Go prints an empty pointer as `null`. */
function isAbsent(value: JsonValue | undefined): boolean {
  return value === undefined || value === null;
}

/**
 * An object with named fields. `Layers` is refused: Go reads it as `layers`, we would not, and the image judged
 * would be another than the image pulled.
 */
function asStruct(value: JsonValue | undefined, where: string, fields: ReadonlyMap<string, string>): Members {
  const members = asObject(value, where);
  for (const key of Object.keys(members)) {
    const field = fields.get(foldKey(key));
    if (field !== undefined && field !== key) {
      throw new Invalid(`${where} has a key "${key}" that must be written ${field}`);
    }
  }
  return members;
}

function fieldsOf(names: readonly string[]): ReadonlyMap<string, string> {
  return new Map(names.map((name) => [foldKey(name), name]));
}

function asObject(value: JsonValue | undefined, where: string): Members {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Invalid(`${where} must be an object`);
  }
  return value as Members;
}

/** Everything a manifest names, each once: config, layers, children. The subject is not part of it. */
export function namedBy(manifest: Manifest): readonly Descriptor[] {
  const all = [...(manifest.config ? [manifest.config] : []), ...manifest.layers, ...manifest.manifests];
  return [...new Map(all.map((descriptor) => [descriptor.digest, descriptor])).values()];
}

/**
 * BuildKit's attestation manifests hang in an index beside the images they speak of; they are no images.
 * @see buildkit docs/attestations/attestation-storage.md
 */
export function isAttestationChild(child: Descriptor): boolean {
  return child.annotations['vnd.docker.reference.type'] === 'attestation-manifest';
}
