import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as passing } from 'node:timers/promises';
import { GiB, MiB } from '../../src/base/index.ts';
import { run } from '../../test/support/run.ts';
import type { Bench, RowSet } from '../bench.ts';
import { loadKept } from '../load.ts';
import type { Peer } from '../peer.ts';
import { residentBytesOf } from '../processes.ts';
import { pushImage } from '../push.ts';
import { median } from '../report.ts';
import { hollowImage, untilServed } from '../supply.ts';
import { askedOf } from './manifests.ts';

const SAMPLE_MS = 250;
const HOUR_SAMPLE_MS = 5000;
/** What every second client takes at most; the others take what they get. */
const SLOW_RATE = '16M';

export const MEMORY: RowSet = {
  id: 'memory',
  title: 'Memory through 50 pulls of 1 GiB at once',
  about:
    '50 clients (curl) pull one blob of 1 GiB (32 MiB with `--quick`) at once, every second one at 16 MB/s at most; the ' +
    'resident memory (VmRSS, shared pages counted in each process) is read four times a second.',
  rows: [
    {
      id: 'memory-50',
      label: '50 pulls at once',
      metrics: [
        { id: 'workerMiB', label: 'highest of a process that serves, MiB', digits: 0, isLowBetter: true },
        { id: 'ownMiB', label: 'of it without the program (RssAnon), MiB', digits: 0, isLowBetter: true },
        { id: 'restMiB', label: 'the same before, MiB', digits: 0, isLowBetter: true },
        { id: 'totalMiB', label: 'highest of all its processes together, MiB', digits: 0, isLowBetter: true },
        { id: 'seconds', label: 'seconds', digits: 1, isLowBetter: true },
      ],
    },
  ],
  async run(bench) {
    const bytes = bench.isQuick ? 32 * MiB : GiB;
    const image = await hollowImage(bytes);
    const layer = image.layers[0];
    const supplied = { repository: 'bench/hollow', tag: '1', image };
    for (const peer of await bench.peers.start(['dockgate', 'docker-registry'])) {
      bench.say(peer.id);
      await pushImage(peer, await peer.token(supplied.repository), supplied);
      await untilServed(peer, supplied);
      const path = `/v2/${supplied.repository}/blobs/${layer?.digest}`;
      bench.add({ row: 'memory-50', column: peer.id, values: await pullAll(bench, peer, path, bytes) });
    }
  },
};

async function pullAll(bench: Bench, peer: Peer, path: string, bytes: number) {
  const token = await peer.token('bench/hollow');
  const caPath = join(bench.directory, 'ca.crt');
  writeFileSync(caPath, peer.ca);
  const serving = (await peer.workers?.()) ?? peer.pids();
  const before = largestOf(serving);
  let open = 50;
  const [, seen] = await Promise.all([
    Promise.all(Array.from({ length: 50 }, (_, index) => pullOne(index % 2 === 0))),
    watch(),
  ]);
  return { ...seen, restMiB: before / MiB };

  async function pullOne(isSlow: boolean): Promise<void> {
    const { output } = await run('curl', [
      ...['--silent', '--show-error', '--http1.1', '--cacert', caPath, '--output', '/dev/null'],
      ...['--write-out', '%{http_code} %{size_download}', '--header', `Authorization: Bearer ${token}`],
      ...(isSlow ? ['--limit-rate', SLOW_RATE] : []),
      `${peer.origin}${path}`,
    ]);
    open -= 1;
    if (output !== `200 ${bytes}`) throw new Error(`${peer.id}, ${path}: curl says ${output}`);
  }
  async function watch() {
    const startedMs = performance.now();
    let [worker, own, total] = [0, 0, 0];
    while (open > 0) {
      worker = Math.max(worker, largestOf(serving));
      own = Math.max(own, largestOf(serving, 'RssAnon'));
      total = Math.max(total, residentBytesOf(peer.pids()));
      await passing(SAMPLE_MS);
    }
    const seconds = (performance.now() - startedMs) / 1000;
    return { workerMiB: worker / MiB, ownMiB: own / MiB, totalMiB: total / MiB, seconds };
  }
}

export const MEMORY_HOUR: RowSet = {
  id: 'memory-hour',
  title: 'Memory through an hour of load',
  about:
    'Manifests and 4 KiB blobs in turns on 32 connections (wrk) for `--minutes` (60), the resident memory of the largest ' +
    'worker read every five seconds: the median of the second tenth of the time (the first one warms up) and of the last.',
  isOnlyNamed: true,
  rows: [
    {
      id: 'memory-hour',
      label: 'largest worker',
      metrics: [
        { id: 'lastMiB', label: 'last tenth, MiB', digits: 0, isLowBetter: true },
        { id: 'earlyMiB', label: 'second tenth, MiB', digits: 0, isLowBetter: true },
        { id: 'totalMiB', label: 'all processes, last tenth, MiB', digits: 0, isLowBetter: true },
        { id: 'requests', label: 'requests', digits: 0 },
      ],
    },
  ],
  async run(bench) {
    const [peer] = await bench.peers.start(['dockgate']);
    if (!peer?.workers) return;
    const small = await bench.supply.warm(peer, 'small');
    const flakes = await bench.supply.warm(peer, 'flakes');
    const workers = await peer.workers();
    const endMs = performance.now() + bench.minutes * 60_000;
    const seen: { readonly worker: number; readonly total: number }[] = [];
    const watching = new AbortController();
    const watched = (async () => {
      while (!watching.signal.aborted) {
        seen.push({ worker: largestOf(workers), total: residentBytesOf(peer.pids()) });
        await passing(HOUR_SAMPLE_MS);
      }
    })();
    let requests = 0;
    while (performance.now() < endMs) {
      for (const [repository, rest] of [
        [small.repository, `manifests/${small.image.digest}`],
        [flakes.repository, `blobs/${flakes.image.layers[0]?.digest}`],
      ] as const) {
        const asked = await askedOf(bench, peer, repository, rest);
        const load = await loadKept({ ...asked, seconds: 20, connections: 32 });
        requests += load.perSecond * 20;
      }
      bench.say(`${Math.ceil((endMs - performance.now()) / 60_000)} minutes left`);
    }
    watching.abort();
    await watched;
    const tenth = Math.max(1, Math.floor(seen.length / 10));
    const of = (part: typeof seen, key: 'worker' | 'total') => median(part.map((one) => one[key])) / MiB;
    const values = {
      ...{ earlyMiB: of(seen.slice(tenth, 2 * tenth), 'worker'), lastMiB: of(seen.slice(-tenth), 'worker') },
      ...{ totalMiB: of(seen.slice(-tenth), 'total'), requests },
    };
    bench.add({ row: 'memory-hour', column: peer.id, values });
  },
};

function largestOf(pids: readonly number[], kind?: 'RssAnon'): number {
  return Math.max(...pids.map((pid) => residentBytesOf([pid], kind)));
}
