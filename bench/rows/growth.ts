import { rmSync } from 'node:fs';
import { MiB } from '../../src/base/index.ts';
import { startDockerRegistry } from '../../test/support/docker-registry.ts';
import type { Bench, RowSet } from '../bench.ts';
import { type GatewayOptions, startGateway } from '../gateways.ts';
import { growBlobs, growRepositories } from '../grow.ts';
import type { GatewayPeer } from '../peer.ts';
import { residentBytesOf } from '../processes.ts';
import { createKeptClient, type KeptClient, pushImage } from '../push.ts';
import { median } from '../report.ts';
import type { Metric } from '../results.ts';
import { randomImage, untilServed } from '../supply.ts';

/** How often each is asked; the median counts. */
const ASKED = 200;
const COMMON: readonly Metric[] = [
  { id: 'readySeconds', label: 'start, s', digits: 2, isLowBetter: true },
  { id: 'residentMiB', label: 'all processes, MiB', digits: 0, isLowBetter: true },
];

export const GROWTH: RowSet = {
  id: 'growth',
  title: 'Growth',
  about:
    'One client on one kept connection, the median of 200 requests. Repositories: the embedded registry; each has the ' +
    'same real image of 8 layers, a tag and its links, put into the database while the server was down; "first" asks 200 ' +
    'repositories that nobody has asked for yet. Cached blobs: dockgate in front of docker-registry; each is a row and a ' +
    'real file of a few bytes; the ones that are asked for are a real image of 100 layers of 4 KiB that was pushed.',
  rows: [
    {
      id: 'growth-repositories',
      label: 'repositories',
      metrics: [
        { id: 'firstMs', label: 'manifest by tag, first, ms', digits: 2, isLowBetter: true },
        { id: 'warmMs', label: 'manifest by tag, warm, ms', digits: 2, isLowBetter: true },
        { id: 'catalogMs', label: 'page of 100 of the catalog, ms', digits: 2, isLowBetter: true },
        ...COMMON,
      ],
    },
    {
      id: 'growth-blobs',
      label: 'cached blobs',
      metrics: [
        { id: 'coldMs', label: 'blob, cold, ms', digits: 2, isLowBetter: true },
        { id: 'warmMs', label: 'blob, warm, ms', digits: 2, isLowBetter: true },
        ...COMMON,
      ],
    },
  ],
  async run(bench) {
    await growInRepositories(bench, bench.isQuick ? [10, 1000] : [10, 1000, 100_000]);
    await growInBlobs(bench, bench.isQuick ? [100, 5000] : [100, 10_000, 1_000_000]);
  },
};

async function growInRepositories(bench: Bench, sizes: readonly number[]): Promise<void> {
  const image = await randomImage(8, 4096);
  const source = 'bench/source';
  await growing(bench, 'growth-repositories', { isEmbedded: true }, sizes, {
    fill: (data, from, count) => growRepositories(data, source, from, count),
    prepare: (peer) => provide(peer, source, image),
    async measure(peer, client, size) {
      const manifest = (index: number) => `/v2/grown/r${index}/manifests/1`;
      const first: number[] = [];
      for (let index = 0; index < Math.min(ASKED, size - 1); index += 1) {
        // Spread over all of them.
        const place = Math.floor((index * (size - 1)) / Math.min(ASKED, size - 1));
        first.push(await client.timed(manifest(place), await peer.token(`grown/r${place}`)));
      }
      const warmMs = await medianMs(client, await peer.token('grown/r0'), () => manifest(0));
      const from = (index: number) => `grown%2Fr${Math.floor((index * size) / ASKED)}`;
      const page = (index: number) => `/v2/_catalog?n=100&last=${from(index)}`;
      const catalogMs = await medianMs(client, await peer.token(), page);
      return { firstMs: median(first), warmMs, catalogMs };
    },
  });
}

async function growInBlobs(bench: Bench, sizes: readonly number[]): Promise<void> {
  const image = await randomImage(100, 4096);
  const repository = 'bench/source';
  const digests = image.layers.map(({ digest }) => digest);
  const registry = await startDockerRegistry({ remembersBlobs: true });
  try {
    await growing(bench, 'growth-blobs', { upstream: registry.url }, sizes, {
      fill: growBlobs,
      prepare: (peer) => provide(peer, repository, image),
      async measure(peer, client) {
        const blob = (index: number) => `/v2/${repository}/blobs/${digests[index % digests.length]}`;
        const token = await peer.token(repository);
        await medianMs(client, token, blob);
        const warmMs = await medianMs(client, token, blob);
        const cold: number[] = [];
        for (let round = 0; round < 2; round += 1) {
          peer.chill?.(digests);
          for (let index = 0; index < digests.length; index += 1)
            cold.push(await client.timed(blob(index), token));
        }
        return { coldMs: median(cold), warmMs };
      },
    });
  } finally {
    await registry.stop();
  }
}

interface Growing {
  readonly fill: (data: string, from: number, count: number) => void;
  /** Once, before anything is grown. */
  readonly prepare: (peer: GatewayPeer) => Promise<void>;
  readonly measure: (
    peer: GatewayPeer,
    client: KeptClient,
    size: number,
  ) => Promise<Readonly<Record<string, number>>>;
}

/** One server, filled while it is down and started again for each size. */
async function growing(
  bench: Bench,
  row: string,
  options: GatewayOptions,
  sizes: readonly number[],
  { fill, prepare, measure }: Growing,
): Promise<void> {
  let peer = await startGateway('dockgate', options);
  const { directory, data } = peer.server;
  try {
    await prepare(peer);
    await peer.server.stop();
    let held = 0;
    for (const size of sizes) {
      bench.say(`${row}: ${size}`);
      fill(data, held, size - held);
      held = size;
      const startedMs = performance.now();
      peer = await startGateway('dockgate', { ...options, directory });
      const readySeconds = (performance.now() - startedMs) / 1000;
      const client = createKeptClient(peer);
      try {
        const found = await measure(peer, client, size);
        const residentMiB = residentBytesOf(peer.pids()) / MiB;
        const values = { ...found, readySeconds, residentMiB };
        bench.say(`${row}, ${size}: ${JSON.stringify(values)}`);
        bench.add({ row, column: size.toLocaleString('en'), values });
      } finally {
        client.close();
        await peer.server.stop();
      }
    }
  } finally {
    await peer.server.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function provide(
  peer: GatewayPeer,
  repository: string,
  image: Awaited<ReturnType<typeof randomImage>>,
): Promise<void> {
  const supplied = { repository, tag: '1', image };
  await pushImage(peer, await peer.token(repository), supplied);
  await untilServed(peer, supplied);
}

async function medianMs(client: KeptClient, token: string, path: (index: number) => string): Promise<number> {
  const values: number[] = [];
  for (let index = 0; index < ASKED; index += 1) values.push(await client.timed(path(index), token));
  return median(values);
}
