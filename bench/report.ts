import { cpus, loadavg, release, totalmem, type } from 'node:os';

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
    processors: `${all.length} x ${all[0]?.model.trim() ?? 'unknown'}`,
    memoryGiB: gibibytes(totalmem()),
    kernel: `${type()} ${release()}`,
    node: process.version,
    loadBefore: loadavg()[0] ?? 0,
  };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** The value that a share of them, from 0 to 1, does not exceed; by the nearest rank. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}
