import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { KiB } from '../../src/base/index.ts';
import { startDockerRegistry } from '../../test/support/docker-registry.ts';
import { createStraightPusher } from '../../test/support/straight-push.ts';
import type { Bench, RowSet } from '../bench.ts';
import { runClient } from '../client.ts';
import { startGateway } from '../gateways.ts';
import { startLink } from '../link.ts';
import { withCpu } from '../load.ts';
import type { Peer } from '../peer.ts';
import type { Metric } from '../results.ts';
import { randomImage, type Supplied } from '../supply.ts';

/** 10 Mbit/s: so slow that the registry, not the number of clients, is what all wait for. */
const LINK_BYTES_PER_SECOND = 1_250_000;
const METRICS: readonly Metric[] = [
  { id: 'seconds', label: 'seconds to the last byte of the last client', digits: 2, isLowBetter: true },
  { id: 'questionsOfBlob', label: 'upstream: most requests for one blob', digits: 0, isLowBetter: true },
  {
    id: 'upstreamShare',
    label: 'upstream: bytes of blobs / bytes of the image',
    digits: 2,
    isLowBetter: true,
  },
  { id: 'retries', label: 'answers 429', digits: 0, isLowBetter: true },
  { id: 'cpuSeconds', label: 'CPU, s', digits: 2, isLowBetter: true },
];
const ONE = '1 client';
const ALL = '200 clients';

export const STAMPEDE: RowSet = {
  id: 'stampede',
  title: 'A stampede on a cold image',
  about:
    'An image of 20 layers and 10 MiB that dockgate has never heard of: it is fetched, scanned and judged while all wait. ' +
    'One client pulls one such image, then 200 clients at once pull another one (our own client, one process); what ' +
    'reached docker-registry is counted in its access log. Once over a link of 10 Mbit/s, ' +
    'where all wait for the registry; once on the same machine, where nobody waits for it, and 2 GiB and 600 handshakes ' +
    'have to go through the two processors that the clients run on as well: that is what the time is then.',
  rows: [
    { id: 'stampede-link', label: 'registry behind 10 Mbit/s', metrics: METRICS },
    { id: 'stampede-near', label: 'registry on the same machine', metrics: METRICS },
  ],
  async run(bench) {
    await using closing = new AsyncDisposableStack();
    const log = join(bench.directory, 'upstream.log');
    const registry = await startDockerRegistry({ remembersBlobs: true, accessLog: log });
    closing.defer(registry.stop);
    const link = await startLink(registry.url, LINK_BYTES_PER_SECOND);
    closing.defer(link.stop);
    const pusher = createStraightPusher(registry.url);
    for (const [row, url] of [
      ['stampede-link', link.url],
      ['stampede-near', registry.url],
    ] as const) {
      const peer = await startGateway('dockgate', { upstream: url });
      closing.defer(peer.stop);
      for (let round = 0; round < bench.rounds; round += 1) {
        for (const [column, clients] of [
          [ONE, 1],
          [ALL, bench.isQuick ? 20 : 200],
        ] as const) {
          bench.say(`round ${round + 1} of ${bench.rounds}: ${row}, ${clients}`);
          const image = await randomImage(20, (bench.isQuick ? 64 : 512) * KiB);
          const supplied = { repository: `bench/${row}-${round}-${clients}`, tag: '1', image };
          await pusher.push(supplied.repository, image, supplied.tag);
          bench.add({ row, column, values: await pullCold(bench, peer, supplied, { clients, log }) });
        }
      }
    }
  },
};

async function pullCold(
  bench: Bench,
  peer: Peer,
  { repository, tag, image }: Supplied,
  { clients, log }: { readonly clients: number; readonly log: string },
) {
  const token = await peer.token(repository);
  const task = { origin: peer.origin, ca: peer.ca, token, repository, reference: tag, clients };
  const { result, cpuSeconds } = await withCpu(peer, bench.ticksPerSecond, () =>
    runClient('pull-process.ts', task),
  );
  const asked = readFileSync(log, 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [, name, digest, bytes] = /"GET \/v2\/(\S+)\/blobs\/(\S+) HTTP\/1.1" 200 (\d+)/.exec(line) ?? [];
      return name === repository && digest !== undefined ? [{ digest, bytes: Number(bytes) }] : [];
    });
  const all = [image.config, ...image.layers];
  const questions = all.map(({ digest }) => asked.filter((one) => one.digest === digest).length);
  const size = all.reduce((sum, { bytes }) => sum + bytes.length, 0);
  return {
    seconds: result.seconds ?? Number.NaN,
    retries: result.retries ?? Number.NaN,
    questionsOfBlob: Math.max(...questions),
    upstreamShare: asked.reduce((sum, { bytes }) => sum + bytes, 0) / size,
    cpuSeconds,
  };
}
