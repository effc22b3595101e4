import { randomBytes } from 'node:crypto';
import { MiB } from '../src/base/index.ts';
import { type BuiltImage, buildImage } from '../test/support/image.ts';
import { until } from '../test/support/until.ts';
import type { Peer } from './peer.ts';
import { pushImage, statusOf } from './push.ts';

export interface Supplied {
  readonly repository: string;
  readonly tag: string;
  readonly image: BuiltImage;
}

/** Images for the measurements; each peer gets each of them once. */
export interface Supply {
  /** Pushed, scanned, served, and in every memory that there is. */
  warm(peer: Peer, name: SuppliedName): Promise<Supplied>;
}

type SuppliedName = 'small' | 'large' | 'layered' | 'flakes';

/** A user and a health check, so that no rule of the shipped policies has anything to say. */
const CONFIG = { user: 'app', healthcheck: ['CMD', 'true'] };
/** A tar has a header of 512 bytes and ends with 1024. */
const TAR_FRAME = 1536;

/** @param largeBytes of the one layer of `large`. */
export function createSupply(largeBytes: number): Supply {
  const makers: Readonly<Record<SuppliedName, () => Promise<BuiltImage>>> = {
    small: () => randomImage(8, 4096),
    large: () => randomImage(1, largeBytes),
    layered: () => randomImage(20, MiB),
    flakes: () => randomImage(100, 4096),
  };
  const made = new Map<SuppliedName, Promise<BuiltImage>>();
  const given = new Map<string, Promise<Supplied>>();
  const give = async (peer: Peer, name: SuppliedName): Promise<Supplied> => {
    const image = made.get(name) ?? makers[name]();
    made.set(name, Promise.resolve(image));
    const supplied = { repository: `bench/${name}`, tag: '1', image: await image };
    const token = await peer.token(supplied.repository);
    await pushImage(peer, token, supplied);
    await untilServed(peer, supplied);
    return supplied;
  };
  return {
    warm(peer, name) {
      const key = `${peer.id} ${name}`;
      const one = given.get(key) ?? give(peer, name);
      given.set(key, one);
      return one;
    },
  };
}

/** An image of layers of exactly this size, which nothing compresses and nobody has seen. */
export function randomImage(layers: number, bytes: number): Promise<BuiltImage> {
  const sources = Array.from({ length: layers }, (_, index) => [
    { path: `file${index}`, data: randomBytes(padded(bytes)) },
  ]);
  return buildImage({ config: CONFIG, layers: sources, compression: 'none' });
}

/** One layer of zeros: bytes that cost nothing to make. */
export function hollowImage(bytes: number): Promise<BuiltImage> {
  const layers = [[{ path: 'hollow', data: Buffer.alloc(padded(bytes)) }]];
  return buildImage({ config: CONFIG, layers, compression: 'none' });
}

function padded(bytes: number): number {
  return Math.floor((bytes - TAR_FRAME) / 512) * 512;
}

/** Waits until the gateway has scanned the image and lets it through. */
export async function untilServed(
  peer: Peer,
  { repository, tag, image }: Pick<Supplied, 'repository' | 'tag' | 'image'>,
): Promise<void> {
  const token = await peer.token(repository);
  const path = `/v2/${repository}/manifests/${tag}`;
  const isServed = async () => (await statusOf(peer, path, token, image.mediaType)) === 200;
  await until(isServed, `${peer.id} serves ${repository}`);
}
