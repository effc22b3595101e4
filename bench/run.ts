import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { MiB } from '../src/base/index.ts';
import { type BuiltImage, buildImage } from '../test/support/image.ts';
import { run } from '../test/support/run.ts';
import { until } from '../test/support/until.ts';
import { CONNECTIONS, measureBlob, measureManifests } from './load.ts';
import { type Peer, startGateway, startGatewayInFront, startRegistry } from './peers.ts';
import { readTicksPerSecond, residentBytesOf } from './processes.ts';
import { pushImage, statusOf } from './push.ts';
import { describeMachine, type Measured, printPage, printTable, type Results } from './report.ts';

/**
 * Measures pulls through the whole path of dockgate beside docker-registry, in one run and in turns.
 *
 *   node bench/run.ts [--rounds N] [--quick] [--json]
 *
 * --quick is for a machine that only wants to know that it works: short, small, and bench/results.md stays as it is.
 */
const REPOSITORY = 'bench/app';
const LAYERS = 8;
/** Measured in each round, since one takes a moment only. */
const BLOBS = 3;
const USAGE = 'usage: node bench/run.ts [--rounds N] [--quick] [--json]';

interface Sizes {
  readonly rounds: number;
  readonly manifestSeconds: number;
  readonly blobBytes: number;
}

interface Tools {
  readonly hasRegistry: boolean;
  readonly hasWrk: boolean;
  readonly hasCurl: boolean;
  readonly missing: readonly string[];
}

interface Images {
  readonly small: BuiltImage;
  readonly large: BuiltImage;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  const sizes = sizesOf(values);
  const say = (text: string) => process.stderr.write(`${text}\n`);
  const tools = await findTools();
  for (const text of tools.missing) say(`not measured: ${text}`);
  const results = await measure(sizes, tools, say);
  process.stdout.write(values.json ? `${JSON.stringify(results, null, 2)}\n` : `\n${printTable(results)}\n`);
  if (values.quick) return;
  writeFileSync(join(import.meta.dirname, 'results.md'), printPage(results));
  say('written to bench/results.md');
}

function sizesOf(values: { readonly rounds?: string; readonly quick: boolean }): Sizes {
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 5));
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 1000) {
    throw new Error(`--rounds must be a whole number from 1 to 1000\n${USAGE}`);
  }
  return values.quick
    ? { rounds, manifestSeconds: 1, blobBytes: 8 * MiB }
    : { rounds, manifestSeconds: 5, blobBytes: 256 * MiB };
}

async function findTools(): Promise<Tools> {
  const has = (command: string, argument: string) =>
    run(command, [argument]).then(
      () => true,
      () => false,
    );
  const [hasRegistry, hasWrk, hasCurl] = await Promise.all([
    has('docker-registry', '--version'),
    has('wrk', '-v'),
    has('curl', '--version'),
  ]);
  const missing = [
    ...(hasRegistry ? [] : ['docker-registry, nothing to compare with: apt-get install docker-registry']),
    ...(hasWrk ? [] : ['manifests: apt-get install wrk']),
    ...(hasCurl ? [] : ['blobs: apt-get install curl']),
  ];
  return { hasRegistry, hasWrk, hasCurl, missing };
}

async function measure(sizes: Sizes, tools: Tools, say: (text: string) => void): Promise<Results> {
  const machine = describeMachine();
  await using closing = new AsyncDisposableStack();
  const directory = mkdtempSync(join(tmpdir(), 'dockgate-bench-'));
  closing.defer(() => rmSync(directory, { recursive: true, force: true }));
  const caPath = join(directory, 'ca.crt');
  const peers = await startPeers(tools, closing);
  const images = await buildImages(sizes.blobBytes);
  for (const peer of peers) await provide(peer, images);

  const measured = new Map(peers.map((peer) => [peer, createRuns()]));
  const ticksPerSecond = await readTicksPerSecond();
  for (let round = 0; round < sizes.rounds; round += 1) {
    for (const peer of rotate([...measured], round)) {
      say(`round ${round + 1} of ${sizes.rounds}: ${peer[0].name}`);
      await measurePeer({ peer: peer[0], runs: peer[1], images, sizes, tools, caPath, ticksPerSecond });
    }
  }
  return {
    machine,
    ...sizes,
    connections: CONNECTIONS,
    manifestBytes: images.small.manifest.length,
    peers: [...measured].map(
      ([peer, runs]): Measured => ({ name: peer.name, ...runs, residentBytes: residentBytesOf(peer.pids()) }),
    ),
    missing: tools.missing,
  };
}

/** The one that the others are compared with comes last. */
async function startPeers(tools: Tools, closing: AsyncDisposableStack): Promise<readonly Peer[]> {
  const gateway = await startGateway();
  closing.defer(gateway.stop);
  if (!tools.hasRegistry) return [gateway];
  const inFront = await startGatewayInFront();
  closing.defer(inFront.stop);
  const registry = await startRegistry(gateway);
  closing.defer(registry.stop);
  return [gateway, inFront, registry];
}

/** An ordinary image of several small layers, and one of a layer that nothing compresses. */
async function buildImages(blobBytes: number): Promise<Images> {
  const config = { user: 'app', healthcheck: ['CMD', 'true'] };
  const layers = Array.from({ length: LAYERS }, (_, index) => [{ path: `file${index}`, data: `${index}` }]);
  const small = await buildImage({ config, layers });
  // A tar has a header of 512 bytes and ends with 1024.
  const file = { path: 'large', data: randomBytes(blobBytes - 1536) };
  return { small, large: await buildImage({ config, layers: [[file]], compression: 'none' }) };
}

/** Pushes both images and waits until they are served: scanned, and in every memory that there is. */
async function provide(peer: Peer, { small, large }: Images): Promise<void> {
  const token = await peer.token(REPOSITORY);
  for (const [tag, image] of [
    ['small', small],
    ['large', large],
  ] as const) {
    await pushImage(peer, token, { repository: REPOSITORY, tag, image });
    const isServed = async () =>
      (await statusOf(peer, `/v2/${REPOSITORY}/manifests/${tag}`, token, image.mediaType)) === 200;
    await until(isServed, `${peer.name} serves ${tag}`);
  }
}

function createRuns() {
  const runs: Pick<Measured, 'byTag' | 'byDigest' | 'blob'> = { byTag: [], byDigest: [], blob: [] };
  return { byTag: [...runs.byTag], byDigest: [...runs.byDigest], blob: [...runs.blob] };
}

interface Turn {
  readonly peer: Peer;
  readonly runs: ReturnType<typeof createRuns>;
  readonly images: Images;
  readonly sizes: Sizes;
  readonly tools: Tools;
  readonly caPath: string;
  readonly ticksPerSecond: number;
}

async function measurePeer(turn: Turn): Promise<void> {
  const { peer, runs, images, sizes, tools, caPath, ticksPerSecond } = turn;
  const token = await peer.token(REPOSITORY);
  writeFileSync(caPath, peer.ca);
  const asked = { peer, token, ticksPerSecond };
  const manifests = (path: string, seconds: number) =>
    measureManifests({
      ...asked,
      path: `/v2/${REPOSITORY}/manifests/${path}`,
      seconds,
      mediaType: images.small.mediaType,
    });
  if (tools.hasWrk) {
    // Not counted: connections, caches and compilers warm up.
    await manifests('small', 1);
    runs.byTag.push(await manifests('small', sizes.manifestSeconds));
    runs.byDigest.push(await manifests(images.small.digest, sizes.manifestSeconds));
  }
  const layer = images.large.layers[0];
  if (!tools.hasCurl || !layer) return;
  const blob = () =>
    measureBlob({
      ...asked,
      path: `/v2/${REPOSITORY}/blobs/${layer.digest}`,
      bytes: sizes.blobBytes,
      caPath,
    });
  await blob();
  for (let time = 0; time < BLOBS; time += 1) runs.blob.push(await blob());
}

function rotate<T>(values: readonly T[], by: number): readonly T[] {
  const from = by % values.length;
  return [...values.slice(from), ...values.slice(0, from)];
}

await main();
