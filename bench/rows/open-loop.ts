import { inTurns, type RowSet } from '../bench.ts';
import { runClient } from '../client.ts';
import { loadKept, withCpu } from '../load.ts';
import { askedOf } from './manifests.ts';

export const OPEN_LOOP: RowSet = {
  id: 'open-loop',
  title: 'Latency at half of the peak',
  about:
    'The peak is measured first (wrk, 32 connections); then a client of our own asks on 64 kept connections at half of ' +
    'that rate, by the clock, whatever the answers take, and counts each latency from when its request was due: what ' +
    'waits behind a stall counts in full. Its own timer, up to a millisecond, and its share of the processors are in the ' +
    'figures; "client late" says by how much it was ever late itself.',
  rows: [
    {
      id: 'open-loop',
      label: 'manifest by digest, warm',
      metrics: [
        { id: 'p99Ms', label: '99 %, ms', digits: 2, isLowBetter: true },
        { id: 'p50Ms', label: 'median, ms', digits: 2, isLowBetter: true },
        { id: 'p999Ms', label: '99.9 %, ms', digits: 2, isLowBetter: true },
        { id: 'maxMs', label: 'slowest, ms', digits: 1, isLowBetter: true },
        { id: 'clientDelayMs', label: 'client late, ms', digits: 1, isLowBetter: true },
        { id: 'perSecond', label: 'requests/s', digits: 0 },
        { id: 'cpuUs', label: 'CPU, µs a request', digits: 0, isLowBetter: true },
      ],
    },
  ],
  run: (bench) =>
    inTurns(bench, ['dockgate', 'dockgate-os', 'docker-registry', 'nginx'], async (peer) => {
      const { repository, image } = await bench.supply.warm(peer, 'small');
      const asked = await askedOf(bench, peer, repository, `manifests/${image.digest}`);
      const peak = await loadKept({ ...asked, seconds: bench.isQuick ? 1 : 3, connections: 32 });
      const perSecond = peak.perSecond / 2;
      const seconds = bench.isQuick ? 2 : 10;
      const { origin, ca } = peer;
      const task = { origin, ca, token: asked.token, path: asked.path, perSecond, seconds, connections: 64 };
      const { result, cpuSeconds } = await withCpu(peer, bench.ticksPerSecond, () =>
        runClient('open-loop-process.ts', task),
      );
      const cpuUs = (cpuSeconds / (perSecond * seconds)) * 1e6;
      bench.add({ row: 'open-loop', column: peer.id, values: { ...result, perSecond, cpuUs } });
    }),
};
