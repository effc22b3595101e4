import { setTimeout as passing } from 'node:timers/promises';
import { run } from '../test/support/run.ts';
import type { Peer } from './peers.ts';
import { cpuSecondsOf } from './processes.ts';

export const CONNECTIONS = 32;
const QUIET_MS = 400;
/** Of one processor. */
const QUIET_SHARE = 0.06;
const QUIET_LOOKS_MAX = 20;

export interface ManifestRun {
  readonly requestsPerSecond: number;
  /** Processor time of all of the peer's processes for one request. */
  readonly cpuMicroseconds: number;
  readonly medianMs: number;
  readonly p99Ms: number;
}

export interface BlobRun {
  readonly megabytesPerSecond: number;
  readonly cpuSecondsPerGibibyte: number;
}

interface Asked {
  readonly peer: Peer;
  readonly path: string;
  readonly token: string;
  readonly ticksPerSecond: number;
}

/** Many clients that keep their connections. @throws {Error} an answer was not the manifest. */
export async function measureManifests(
  asked: Asked & { readonly seconds: number; readonly mediaType: string },
): Promise<ManifestRun> {
  const { peer, path, token, seconds } = asked;
  const args = ['-t2', `-c${CONNECTIONS}`, `-d${seconds}s`, '--latency'];
  const pids = peer.pids();
  const before = cpuSecondsOf(pids, asked.ticksPerSecond);
  const { code, output } = await run('wrk', [
    ...args,
    ...['-H', `Authorization: Bearer ${token}`, '-H', `Accept: ${asked.mediaType}`, `${peer.origin}${path}`],
  ]);
  const cpuSeconds = (await cpuWhenQuiet(pids, asked.ticksPerSecond)) - before;
  const count = Number(/(\d+) requests in/.exec(output)?.[1]);
  const perSecond = Number(/Requests\/sec:\s+([\d.]+)/.exec(output)?.[1]);
  if (code !== 0 || !(count > 0) || /Non-2xx|Socket errors/.test(output)) {
    throw new Error(`${peer.name}, ${path}: wrk says\n${output}`);
  }
  return {
    requestsPerSecond: perSecond,
    cpuMicroseconds: (cpuSeconds / count) * 1e6,
    medianMs: latencyMs(output, '50%'),
    p99Ms: latencyMs(output, '99%'),
  };
}

/** One client that throws away what it gets. @throws {Error} it did not get all of it. */
export async function measureBlob(
  asked: Asked & { readonly bytes: number; readonly caPath: string },
): Promise<BlobRun> {
  const { peer, path, token, bytes, caPath } = asked;
  const pids = peer.pids();
  const before = cpuSecondsOf(pids, asked.ticksPerSecond);
  const { output } = await run('curl', [
    ...['--silent', '--show-error', '--http1.1', '--cacert', caPath, '--output', '/dev/null'],
    ...['--write-out', '%{http_code} %{size_download} %{time_total}'],
    ...['--header', `Authorization: Bearer ${token}`, `${peer.origin}${path}`],
  ]);
  const cpuSeconds = (await cpuWhenQuiet(pids, asked.ticksPerSecond)) - before;
  const [status, size, seconds] = output.split(' ');
  if (status !== '200' || Number(size) !== bytes)
    throw new Error(`${peer.name}, ${path}: curl says ${output}`);
  return {
    megabytesPerSecond: bytes / Number(seconds) / 1e6,
    cpuSecondsPerGibibyte: (cpuSeconds / bytes) * 2 ** 30,
  };
}

/** What a peer does after its answers (sequencing its log) counts, and does not burden the next measurement. */
async function cpuWhenQuiet(pids: readonly number[], ticksPerSecond: number): Promise<number> {
  let seconds = cpuSecondsOf(pids, ticksPerSecond);
  for (let look = 0; look < QUIET_LOOKS_MAX; look += 1) {
    await passing(QUIET_MS);
    const before = seconds;
    seconds = cpuSecondsOf(pids, ticksPerSecond);
    if (seconds - before < QUIET_SHARE * (QUIET_MS / 1000)) break;
  }
  return seconds;
}

function latencyMs(output: string, percentile: string): number {
  const [, value, unit = ''] =
    new RegExp(`${percentile.replace('%', '')}%\\s+([\\d.]+)(us|ms|s)`).exec(output) ?? [];
  const factors: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000 };
  return Number(value) * (factors[unit] ?? Number.NaN);
}
