import { setTimeout as passing } from 'node:timers/promises';
import { run } from '../test/support/run.ts';
import { ACCEPT } from './client.ts';
import type { Peer } from './peer.ts';
import { cpuSecondsOf } from './processes.ts';

export const CONNECTIONS = 32;
const QUIET_MS = 400;
/** Of one processor. */
const QUIET_SHARE = 0.06;
const QUIET_LOOKS_MAX = 20;

export interface Load {
  readonly perSecond: number;
  /** Processor time of all of the peer's processes for one request. */
  readonly cpuUs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface Asked {
  readonly peer: Peer;
  readonly path: string;
  readonly token: string;
  readonly ticksPerSecond: number;
}

interface Many {
  readonly seconds: number;
  readonly connections: number;
}

/** Many clients that keep their connections (wrk). @throws {Error} an answer was another than 200. */
export async function loadKept(asked: Asked & Many): Promise<Load> {
  const { peer, path, seconds, connections } = asked;
  const args = [`-t${Math.min(2, connections)}`, `-c${connections}`, `-d${seconds}s`, '--timeout', '30s'];
  const { output, cpuSeconds } = await told(asked, 'wrk', [
    ...args,
    ...['--latency', ...headersOf(asked), `${peer.origin}${path}`],
  ]);
  const count = Number(/(\d+) requests in/.exec(output)?.[1]);
  const perSecond = Number(/Requests\/sec:\s+([\d.]+)/.exec(output)?.[1]);
  if (!(count > 0) || /Non-2xx|Socket errors/.test(output)) throw wrong(asked, output);
  return {
    perSecond,
    cpuUs: (cpuSeconds / count) * 1e6,
    p50Ms: latencyMs(output, 50),
    p99Ms: latencyMs(output, 99),
  };
}

/** Many clients that make a new TLS connection for each request, and never resume (hey). */
export async function loadNew(asked: Asked & Many): Promise<Load> {
  const { peer, path, seconds, connections } = asked;
  const args = ['-z', `${seconds}s`, '-c', String(connections), '-disable-keepalive', '-disable-compression'];
  const { output, cpuSeconds } = await told(asked, 'hey', [
    ...args,
    ...headersOf(asked),
    `${peer.origin}${path}`,
  ]);
  const [, status, count] = /\[(\d+)\]\s+(\d+) responses/.exec(output) ?? [];
  const perSecond = Number(/Requests\/sec:\s+([\d.]+)/.exec(output)?.[1]);
  const isAll200 = status === '200' && output.match(/\[\d+\]\s+\d+ responses/g)?.length === 1;
  if (!isAll200 || /Error distribution/.test(output)) throw wrong(asked, output);
  const at = (share: number) => Number(new RegExp(`${share}% in ([\\d.]+) secs`).exec(output)?.[1]) * 1000;
  return { perSecond, cpuUs: (cpuSeconds / Number(count)) * 1e6, p50Ms: at(50), p99Ms: at(99) };
}

export interface Download {
  readonly megabytesPerSecond: number;
  readonly cpuSecondsPerGibibyte: number;
}

/** One client that throws away what it gets (curl). @throws {Error} it did not get all of it. */
export async function download(
  asked: Asked & { readonly bytes: number; readonly caPath: string },
): Promise<Download> {
  const { peer, path, bytes, caPath } = asked;
  const { output, cpuSeconds } = await told(asked, 'curl', [
    ...['--silent', '--show-error', '--http1.1', '--cacert', caPath, '--output', '/dev/null'],
    ...['--write-out', '%{http_code} %{size_download} %{time_total}'],
    ...['--header', `Authorization: Bearer ${asked.token}`, `${peer.origin}${path}`],
  ]);
  const [status, size, seconds] = output.split(' ');
  if (status !== '200' || Number(size) !== bytes) throw wrong(asked, output);
  return {
    megabytesPerSecond: bytes / Number(seconds) / 1e6,
    cpuSecondsPerGibibyte: (cpuSeconds / bytes) * 2 ** 30,
  };
}

/** The work, and the processor time that the peer spent until it had nothing left to do. */
export async function withCpu<T>(
  peer: Peer,
  ticksPerSecond: number,
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly cpuSeconds: number; readonly seconds: number }> {
  const pids = peer.pids();
  const before = cpuSecondsOf(pids, ticksPerSecond);
  const startedMs = performance.now();
  const result = await work();
  const seconds = (performance.now() - startedMs) / 1000;
  return { result, seconds, cpuSeconds: (await cpuWhenQuiet(pids, ticksPerSecond)) - before };
}

async function told({ peer, ticksPerSecond }: Asked, command: string, args: readonly string[]) {
  const { result, cpuSeconds } = await withCpu(peer, ticksPerSecond, () => run(command, args));
  if (result.code !== 0) throw new Error(`${peer.id}: ${command} says\n${result.output}`);
  return { output: result.output, cpuSeconds };
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

function headersOf({ token }: Asked): readonly string[] {
  return ['-H', `Authorization: Bearer ${token}`, '-H', `Accept: ${ACCEPT}`];
}

function wrong({ peer, path }: Asked, output: string): Error {
  return new Error(`${peer.id}, ${path}: the load generator says\n${output}`);
}

function latencyMs(output: string, share: number): number {
  const [, value, unit = ''] = new RegExp(`${share}%\\s+([\\d.]+)(us|ms|s)`).exec(output) ?? [];
  const factors: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000 };
  return Number(value) * (factors[unit] ?? Number.NaN);
}
