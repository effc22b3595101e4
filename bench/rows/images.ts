import { MiB } from '../../src/base/index.ts';
import { type Bench, inTurns, type RowSet } from '../bench.ts';
import { runClient } from '../client.ts';
import { withCpu } from '../load.ts';
import { PEER_IDS, type Peer } from '../peer.ts';
import { pushImage } from '../push.ts';
import type { Metric } from '../results.ts';
import { randomImage } from '../supply.ts';

const METRICS: readonly Metric[] = [
  { id: 'megabytesPerSecond', label: 'MB/s', digits: 0 },
  { id: 'seconds', label: 'seconds', digits: 2, isLowBetter: true },
  { id: 'cpuSeconds', label: 'CPU, s', digits: 2, isLowBetter: true },
];
/** Processes of clients: one alone would be what is measured. */
const PROCESSES = 2;

export const IMAGES_AT_ONCE: RowSet = {
  id: 'pull-at-once',
  title: '50 clients pull one image at once',
  about:
    'An image of 20 layers of 1 MiB, warm; each client has its own connections, asks for the manifest, then for config ' +
    'and layers three at a time, as docker does (our own client, two processes of it).',
  rows: [{ id: 'pull-50', label: '50 clients, 20 layers each', metrics: METRICS }],
  run: (bench) =>
    inTurns(bench, PEER_IDS, async (peer) => {
      const { repository, tag } = await bench.supply.warm(peer, 'layered');
      const token = await peer.token(repository);
      const clients = bench.isQuick ? 4 : 25;
      const task = { origin: peer.origin, ca: peer.ca, token, repository, reference: tag, clients };
      const { result, cpuSeconds } = await withCpu(peer, bench.ticksPerSecond, () =>
        Promise.all(Array.from({ length: PROCESSES }, () => runClient('pull-process.ts', task))),
      );
      const seconds = Math.max(...result.map((one) => one.seconds ?? Number.NaN));
      const bytes = result.reduce((sum, one) => sum + (one.bytes ?? 0), 0);
      const values = { megabytesPerSecond: bytes / seconds / 1e6, seconds, cpuSeconds };
      bench.add({ row: 'pull-50', column: peer.id, values });
    }),
};

export const PUSH: RowSet = {
  id: 'push',
  title: 'A push of 20 layers',
  about:
    'An image of 20 layers of 16 MiB that nobody has seen (1 MiB with `--quick`), five at a time, a new connection for ' +
    'each request. dockgate sends on to the registry behind it, keeps a copy, and counts twice what it writes; straight ' +
    'to the upstream is the column of docker-registry. CPU counts until the peer has come to rest, so dockgate has ' +
    'scanned the image by then.',
  rows: [{ id: 'push-20', label: '20 layers', metrics: METRICS }],
  run: (bench) => inTurns(bench, PEER_IDS, (peer, round) => pushOne(bench, peer, round)),
};

async function pushOne(bench: Bench, peer: Peer, round: number): Promise<void> {
  const layerBytes = bench.isQuick ? MiB : 16 * MiB;
  const image = await randomImage(20, layerBytes);
  const repository = `bench/pushed-${round}`;
  const token = await peer.token(repository);
  let seconds = Number.NaN;
  const { cpuSeconds } = await withCpu(peer, bench.ticksPerSecond, async () => {
    const startedMs = performance.now();
    await pushImage(peer, token, { repository, tag: '1', image });
    seconds = (performance.now() - startedMs) / 1000;
  });
  const megabytesPerSecond = (20 * layerBytes) / seconds / 1e6;
  bench.add({ row: 'push-20', column: peer.id, values: { megabytesPerSecond, seconds, cpuSeconds } });
}
