import { type Bench, inTurns, type RowSet } from '../bench.ts';
import { runClient } from '../client.ts';
import { ACCOUNT } from '../gateways.ts';
import { type Load, loadKept, loadNew, withCpu } from '../load.ts';
import { PEER_IDS, type Peer } from '../peer.ts';
import type { Metric } from '../results.ts';

const LOAD_METRICS: readonly Metric[] = [
  { id: 'perSecond', label: 'requests/s', digits: 0 },
  { id: 'cpuUs', label: 'CPU, µs a request', digits: 0, isLowBetter: true },
  { id: 'p50Ms', label: 'median, ms', digits: 2, isLowBetter: true },
  { id: 'p99Ms', label: '99 %, ms', digits: 2, isLowBetter: true },
];
const CONNECTIONS = [1, 32, 256];
const NEW_CONNECTIONS = 32;

export const MANIFESTS_WARM: RowSet = {
  id: 'manifest-warm',
  title: 'A manifest, warm',
  about:
    'A manifest of 1.4 KiB that was asked for before, on kept connections (wrk). dockgate asks its upstream for a tag ' +
    'again when the answer is older than `tagFreshness` (2 s).',
  rows: (['digest', 'tag'] as const).flatMap((by) =>
    CONNECTIONS.map((connections) => ({
      id: `manifest-${by}-${connections}`,
      label: `by ${by}, ${connections} ${connections === 1 ? 'connection' : 'connections'}`,
      metrics: LOAD_METRICS,
    })),
  ),
  run: (bench) =>
    inTurns(bench, PEER_IDS, async (peer, round) => {
      const { repository, tag, image } = await bench.supply.warm(peer, 'small');
      if (round === 0) {
        const asked = await askedOf(bench, peer, repository, `manifests/${image.digest}`);
        await loadKept({ ...asked, ...warmUp(bench) });
      }
      for (const [by, reference] of [
        ['digest', image.digest],
        ['tag', tag],
      ] as const) {
        for (const connections of CONNECTIONS) {
          const seconds = connections === 32 && !bench.isQuick ? 4 : 2;
          const asked = await askedOf(bench, peer, repository, `manifests/${reference}`);
          const load = await loadKept({ ...asked, seconds, connections });
          bench.add({ row: `manifest-${by}-${connections}`, column: peer.id, values: valuesOf(load) });
        }
      }
    }),
};

export const MANIFEST_NEW: RowSet = {
  id: 'connection-new',
  title: 'A manifest on a new TLS connection each',
  about:
    'A full handshake (TLS 1.3, the same ECDSA P-256 certificate for all), one manifest, and the end of the connection, ' +
    '32 clients (hey). With the token: a connection for the token, with name and password, and another one for the ' +
    'manifest (a client of our own); the registries have no such endpoint, dockgate is theirs.',
  rows: [
    { id: 'manifest-new', label: 'manifest on a new connection', metrics: LOAD_METRICS },
    {
      id: 'token-new',
      label: 'token, then manifest, each on a new connection',
      metrics: [
        { id: 'perSecond', label: 'pairs/s', digits: 0 },
        { id: 'cpuUs', label: 'CPU, µs a pair', digits: 0, isLowBetter: true },
        { id: 'p50Ms', label: 'median, ms', digits: 2, isLowBetter: true },
        { id: 'p99Ms', label: '99 %, ms', digits: 2, isLowBetter: true },
      ],
    },
  ],
  run: (bench) =>
    inTurns(bench, PEER_IDS, async (peer, round) => {
      const seconds = bench.isQuick ? 1 : 4;
      const { repository, image } = await bench.supply.warm(peer, 'small');
      const asked = await askedOf(bench, peer, repository, `manifests/${image.digest}`);
      if (round === 0) await loadNew({ ...asked, ...warmUp(bench) });
      const load = await loadNew({ ...asked, seconds, connections: NEW_CONNECTIONS });
      bench.add({ row: 'manifest-new', column: peer.id, values: valuesOf(load) });
      if (peer.chill) await measureTokens(bench, peer, { repository, path: asked.path, seconds });
    }),
};

async function measureTokens(
  bench: Bench,
  peer: Peer,
  {
    repository,
    path,
    seconds,
  }: { readonly repository: string; readonly path: string; readonly seconds: number },
): Promise<void> {
  const { name, password } = ACCOUNT;
  const basic = Buffer.from(`${name}:${password}`).toString('base64');
  const tokenPath = `/token?service=dockgate&scope=repository:${repository}:pull`;
  const { origin, ca } = peer;
  const { result, cpuSeconds } = await withCpu(peer, bench.ticksPerSecond, () =>
    runClient('token-process.ts', { origin, ca, basic, tokenPath, path, seconds, clients: 8 }),
  );
  const { count = 0, perSecond = 0, p50Ms = 0, p99Ms = 0 } = result;
  const values = { perSecond, p50Ms, p99Ms, cpuUs: (cpuSeconds / count) * 1e6 };
  bench.add({ row: 'token-new', column: peer.id, values });
}

/** Not counted: compilers, caches and connections of every peer come to what they are in a server that has run a while. */
function warmUp(bench: Bench) {
  return { seconds: bench.isQuick ? 1 : 4, connections: NEW_CONNECTIONS };
}

/** What a load generator needs to ask this peer for something of the repository. */
export async function askedOf(bench: Bench, peer: Peer, repository: string, rest: string) {
  const token = await peer.token(repository);
  return { peer, token, path: `/v2/${repository}/${rest}`, ticksPerSecond: bench.ticksPerSecond };
}

export function valuesOf({ perSecond, cpuUs, p50Ms, p99Ms }: Load) {
  return { perSecond, cpuUs, p50Ms, p99Ms };
}
