import { createHash } from 'node:crypto';
import { type Change, createManualClock, type ManualClock } from '../../src/base/index.ts';
import {
  type Descriptor,
  type Digest,
  type Manifest,
  MEDIA_TYPES,
  parseDigest,
  parseRepository,
  parseTag,
  type Repository,
  type Tag,
} from '../../src/oci/index.ts';
import type { StoreWrites } from '../../src/store/index.ts';

/** An empty store as a contract suite gets it, on whatever database. */
export interface StoreUnderTest {
  readonly store: StoreWrites;
  readonly clock: ManualClock;
  /** Every change published so far, in order. */
  readonly changes: Change[];
  close(): Promise<void>;
}

export type OpenStore = (
  clock: ManualClock,
  publish: (changes: readonly Change[]) => Promise<void>,
) => Promise<{ readonly store: StoreWrites; close(): Promise<void> }>;

/** Gives each test of the surrounding `describe` a store of its own. */
export function withStore(open: OpenStore): () => StoreUnderTest {
  let current: StoreUnderTest | undefined;
  beforeEach(async () => {
    const clock = createManualClock();
    const changes: Change[] = [];
    const opened = await open(clock, async (published) => {
      changes.push(...published);
    });
    current = { ...opened, clock, changes };
  });
  afterEach(async () => {
    await current?.close();
    current = undefined;
  });
  return () => {
    if (!current) throw new Error('the store is open only inside a test');
    return current;
  };
}

export function repository(text: string): Repository {
  return parsed(text, parseRepository(text));
}

export function tag(text: string): Tag {
  return parsed(text, parseTag(text));
}

/** The digest of some text: a name for content that no test needs to see. */
export function digestOf(text: string): Digest {
  const digest = `sha256:${createHash('sha256').update(text).digest('hex')}`;
  return parsed(digest, parseDigest(digest));
}

function parsed<T>(text: string, value: T | undefined): T {
  if (value === undefined) throw new Error(`${text} cannot be read`);
  return value;
}

export function descriptor(name: string, overrides: Partial<Descriptor> = {}): Descriptor {
  return {
    mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
    digest: digestOf(name),
    size: name.length,
    annotations: {},
    urls: [],
    ...overrides,
  };
}

/** An image of these layers; its config is called `<first layer>-config` unless said. */
export function image(layers: readonly string[], overrides: Partial<Manifest> = {}): Manifest {
  return {
    kind: 'image',
    mediaType: MEDIA_TYPES.ociManifest,
    artifactType: MEDIA_TYPES.ociConfig,
    config: descriptor(`${layers[0]}-config`, { mediaType: MEDIA_TYPES.ociConfig }),
    layers: layers.map((layer) => descriptor(layer)),
    manifests: [],
    annotations: {},
    ...overrides,
  };
}

export function index(children: readonly Descriptor[], overrides: Partial<Manifest> = {}): Manifest {
  return {
    kind: 'index',
    mediaType: MEDIA_TYPES.ociIndex,
    layers: [],
    manifests: children,
    annotations: {},
    ...overrides,
  };
}
