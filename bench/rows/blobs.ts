import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Bench, inTurns, type RowSet } from '../bench.ts';
import { download, loadKept, withCpu } from '../load.ts';
import { PEER_IDS, type Peer, type PeerId } from '../peer.ts';
import { createKeptClient } from '../push.ts';
import type { Metric } from '../results.ts';
import { askedOf, valuesOf } from './manifests.ts';

const LARGE_METRICS: readonly Metric[] = [
  { id: 'megabytesPerSecond', label: 'MB/s', digits: 0 },
  { id: 'cpuSecondsPerGibibyte', label: 'CPU, s a GiB', digits: 2, isLowBetter: true },
];
const TINY_METRICS: readonly Metric[] = [
  { id: 'perSecond', label: 'requests/s', digits: 0 },
  { id: 'cpuUs', label: 'CPU, µs a request', digits: 0, isLowBetter: true },
];
/** Measured in each round, since one takes a moment only. */
const DOWNLOADS = 3;
/** Those that have something in front of a registry: to the others each blob is as warm as the last time. */
const COLD: readonly PeerId[] = ['dockgate', 'nginx', 'docker-registry'];

export const BLOBS_WARM: RowSet = {
  id: 'blob-warm',
  title: 'A blob, warm',
  about:
    '256 MiB (8 MiB with `--quick`): one client, a new connection each time, three in each round, to nowhere (curl). ' +
    '4 KiB: 32 kept connections (wrk).',
  rows: [
    { id: 'blob-large-warm', label: '256 MiB', metrics: LARGE_METRICS },
    { id: 'blob-tiny-warm', label: '4 KiB, 32 connections', metrics: TINY_METRICS },
  ],
  run: (bench) =>
    inTurns(bench, PEER_IDS, async (peer) => {
      // Once not counted: pages, compilers and what is checked at the first reading.
      await downloadLarge(bench, peer);
      for (let time = 0; time < DOWNLOADS; time += 1) {
        bench.add({ row: 'blob-large-warm', column: peer.id, values: await downloadLarge(bench, peer) });
      }
      const { repository, image } = await bench.supply.warm(peer, 'flakes');
      const asked = await askedOf(bench, peer, repository, `blobs/${image.layers[0]?.digest}`);
      const load = await loadKept({ ...asked, seconds: bench.isQuick ? 1 : 4, connections: 32 });
      bench.add({ row: 'blob-tiny-warm', column: peer.id, values: valuesOf(load) });
    }),
};

export const BLOBS_COLD: RowSet = {
  id: 'blob-cold',
  title: 'A blob, cold',
  about:
    'dockgate has judged the image, and its cache has lost the blob, as by eviction: it comes through from the registry ' +
    'behind, and is hashed and stored on the way. nginx passes through, as it always does, and docker-registry reads its ' +
    'own file: the same bytes without a cache. 4 KiB: 100 blobs one after the other on one connection.',
  rows: [
    { id: 'blob-large-cold', label: '256 MiB', metrics: LARGE_METRICS },
    { id: 'blob-tiny-cold', label: '4 KiB, one connection', metrics: TINY_METRICS },
  ],
  run: (bench) =>
    inTurns(bench, COLD, async (peer) => {
      const { image } = await bench.supply.warm(peer, 'large');
      await downloadLarge(bench, peer);
      for (let time = 0; time < DOWNLOADS; time += 1) {
        peer.chill?.(image.layers.map(({ digest }) => digest));
        bench.add({ row: 'blob-large-cold', column: peer.id, values: await downloadLarge(bench, peer) });
      }
      bench.add({ row: 'blob-tiny-cold', column: peer.id, values: await readTiny(bench, peer) });
    }),
};

async function downloadLarge(bench: Bench, peer: Peer) {
  const { repository, image } = await bench.supply.warm(peer, 'large');
  const layer = image.layers[0];
  if (!layer) throw new Error('an image with a layer');
  const caPath = join(bench.directory, 'ca.crt');
  writeFileSync(caPath, peer.ca);
  const asked = await askedOf(bench, peer, repository, `blobs/${layer.digest}`);
  return { ...(await download({ ...asked, bytes: layer.bytes.length, caPath })) };
}

async function readTiny(bench: Bench, peer: Peer) {
  const { repository, image } = await bench.supply.warm(peer, 'flakes');
  const client = createKeptClient(peer);
  const token = await peer.token(repository);
  const paths = image.layers.map(({ digest }) => `/v2/${repository}/blobs/${digest}`);
  try {
    for (const path of paths) await client.timed(path, token);
    peer.chill?.(image.layers.map(({ digest }) => digest));
    const { seconds, cpuSeconds } = await withCpu(peer, bench.ticksPerSecond, async () => {
      for (const path of paths) await client.timed(path, token);
    });
    return { perSecond: paths.length / seconds, cpuUs: (cpuSeconds / paths.length) * 1e6 };
  } finally {
    client.close();
  }
}
