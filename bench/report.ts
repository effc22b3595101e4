import { cpus, loadavg, release, totalmem, type } from 'node:os';
import { KiB, MiB } from '../src/base/index.ts';
import type { BlobRun, ManifestRun } from './load.ts';

/** What was measured of one peer, a number for each round. */
export interface Measured {
  readonly name: string;
  readonly byTag: readonly ManifestRun[];
  readonly byDigest: readonly ManifestRun[];
  readonly blob: readonly BlobRun[];
  /** Resident memory of all its processes at the end, in bytes. */
  readonly residentBytes: number;
}

export interface Results {
  readonly machine: Machine;
  readonly rounds: number;
  readonly manifestSeconds: number;
  readonly manifestBytes: number;
  readonly blobBytes: number;
  readonly connections: number;
  readonly peers: readonly Measured[];
  /** What could not be measured, and why. */
  readonly missing: readonly string[];
}

export interface Machine {
  readonly processors: string;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
  /** Of the minute before the run: what else was going on. */
  readonly loadBefore: number;
}

export function describeMachine(): Machine {
  const all = cpus();
  const gibibytes = (bytes: number) => Math.round(bytes / 2 ** 30);
  return {
    processors: `${all.length} x ${all[0]?.model ?? 'unknown'}`,
    memoryGiB: gibibytes(totalmem()),
    kernel: `${type()} ${release()}`,
    node: process.version,
    loadBefore: loadavg()[0] ?? 0,
  };
}

interface Row {
  readonly label: string;
  readonly of: (peer: Measured) => readonly number[];
  readonly print: (value: number) => string;
}

const ROWS: readonly Row[] = [
  {
    label: 'manifest by tag, requests/s',
    of: (peer) => peer.byTag.map((one) => one.requestsPerSecond),
    print: whole,
  },
  { label: '- median latency, ms', of: (peer) => peer.byTag.map((one) => one.medianMs), print: fine },
  { label: '- 99 % latency, ms', of: (peer) => peer.byTag.map((one) => one.p99Ms), print: fine },
  { label: '- CPU, µs a request', of: (peer) => peer.byTag.map((one) => one.cpuMicroseconds), print: whole },
  {
    label: 'manifest by digest, requests/s',
    of: (peer) => peer.byDigest.map((one) => one.requestsPerSecond),
    print: whole,
  },
  {
    label: '- CPU, µs a request',
    of: (peer) => peer.byDigest.map((one) => one.cpuMicroseconds),
    print: whole,
  },
  { label: 'blob, MB/s', of: (peer) => peer.blob.map((one) => one.megabytesPerSecond), print: whole },
  { label: '- CPU, s a GiB', of: (peer) => peer.blob.map((one) => one.cpuSecondsPerGibibyte), print: fine },
  { label: 'resident memory, MiB', of: (peer) => [peer.residentBytes / MiB], print: whole },
];

/** A table in Markdown: the median of the rounds, the lowest and highest, and the ratio to the last peer. */
export function printTable({ peers }: Pick<Results, 'peers'>): string {
  const base = peers.at(-1);
  const others = peers.slice(0, -1);
  const ratioHeads = base ? others.map(({ name }) => `${name} / ${base.name}`) : [];
  const heads = ['', ...peers.map(({ name }) => name), ...ratioHeads];
  const rows = ROWS.map(({ label, of, print }) => {
    const ratios = base ? others.map((peer) => ratio(median(of(peer)), median(of(base)))) : [];
    return [label, ...peers.map((peer) => printSpread(of(peer), print)), ...ratios];
  });
  return [heads, heads.map((_, column) => (column === 0 ? '---' : '---:')), ...rows]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}

/** The page that is kept in the repository. */
export function printPage(results: Results): string {
  const { machine, missing } = results;
  const notes = missing.map((text) => `- Not measured: ${text}`);
  return `# Measured

Written by \`npm run bench\`. Ratios count, not the numbers: both run on one machine, with the clients, in one run, in
turns (${results.rounds} rounds, their order rotates). Each cell is the median of the rounds, then the lowest and the highest.

${printTable(results)}

- Machine: ${machine.processors}, ${machine.memoryGiB} GiB memory, ${machine.kernel}, Node ${machine.node}; load average
  before the run ${machine.loadBefore.toFixed(1)}.
- Manifest: ${(results.manifestBytes / KiB).toFixed(1)} KiB, ${results.connections} kept connections for ${results.manifestSeconds} s (wrk, 2 threads, on the same processors).
- Blob: ${Math.round(results.blobBytes / MiB)} MiB, one client (curl), a new connection each time, three in each round.
- Both speak TLS 1.3 with the same certificate and check an ES256 token on every request. dockgate also looks up the
  caller's grants, judges the image (the shipped policy, scanned by the inspector), and makes the record of the
  decision durable on disk before the first byte. docker-registry does none of that and keeps no access log here,
  which favours it; it keeps blob sizes in memory, as Debian configures it.
- CPU is user and system time of all processes of a peer, the clients' not counted, with what it does after
  its last answer. Memory counts pages that processes share more than once.
${notes.join('\n')}`
    .trimEnd()
    .concat('\n');
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

function printSpread(values: readonly number[], print: (value: number) => string): string {
  if (values.length === 0) return 'not measured';
  const middle = print(median(values));
  return values.length === 1
    ? middle
    : `${middle} (${print(Math.min(...values))} to ${print(Math.max(...values))})`;
}

function ratio(value: number, base: number): string {
  return Number.isFinite(value / base) ? (value / base).toFixed(2) : '';
}

function whole(value: number): string {
  return value.toFixed(0);
}

function fine(value: number): string {
  return value.toFixed(2);
}
