import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { familyOf, residentBytesOf } from '../../../bench/processes.ts';
import { MINUTE_MS, MiB } from '../../../src/base/index.ts';

/** A heap breathes: the last quarter may be so much larger than the second, or by so many bytes. */
const GROWTH_MAX = 1.15;
const GROWTH_BYTES_MAX = 40 * MiB;

/** Resident memory of one process over time. */
export interface Growth {
  readonly pid: number;
  readonly role: string;
  readonly secondQuarterBytes: number;
  readonly lastQuarterBytes: number;
  readonly bytesPerMinute: number;
  readonly isFlat: boolean;
}

interface Sample {
  readonly atMs: number;
  readonly bytes: number;
}

export interface MemoryWatch {
  sample(atMs: number): void;
  /** Of every process that was there at the first sample and at the last. */
  growth(): readonly Growth[];
  /** Processes that came or went in between: none should. */
  changed(): readonly string[];
}

export function watchMemory(pid: number): MemoryWatch {
  const series = new Map<number, { readonly role: string; readonly samples: Sample[] }>();
  let taken = 0;
  const isThroughout = (samples: readonly Sample[]): boolean => samples.length === taken;
  return {
    sample(atMs) {
      taken += 1;
      for (const member of familyOf(pid)) {
        const bytes = residentBytesOf([member]);
        if (bytes === 0) continue;
        const known = series.get(member) ?? { role: roleOf(member), samples: [] };
        known.samples.push({ atMs, bytes });
        series.set(member, known);
      }
    },
    growth: () =>
      [...series].flatMap(([member, { role, samples }]) =>
        isThroughout(samples) ? [growthOf(member, role, samples)] : [],
      ),
    changed: () =>
      [...series].flatMap(([member, { role, samples }]) =>
        isThroughout(samples) ? [] : [`${role} ${member} in ${samples.length} of ${taken} samples`],
      ),
  };
}

function growthOf(pid: number, role: string, samples: readonly Sample[]): Growth {
  const quarter = Math.floor(samples.length / 4);
  const secondQuarterBytes = medianOf(samples.slice(quarter, 2 * quarter));
  const lastQuarterBytes = medianOf(samples.slice(3 * quarter));
  const allowed = Math.max(secondQuarterBytes * GROWTH_MAX, secondQuarterBytes + GROWTH_BYTES_MAX);
  const bytesPerMinute = slopeOf(samples) * MINUTE_MS;
  const isFlat = lastQuarterBytes <= allowed;
  return { pid, role, secondQuarterBytes, lastQuarterBytes, bytesPerMinute, isFlat };
}

function medianOf(samples: readonly Sample[]): number {
  const sorted = samples.map(({ bytes }) => bytes).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

/** Least squares, in bytes a millisecond. */
function slopeOf(samples: readonly Sample[]): number {
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  const meanMs = mean(samples.map(({ atMs }) => atMs));
  const meanBytes = mean(samples.map(({ bytes }) => bytes));
  let [above, below] = [0, 0];
  for (const { atMs, bytes } of samples) {
    above += (atMs - meanMs) * (bytes - meanBytes);
    below += (atMs - meanMs) ** 2;
  }
  return below === 0 ? 0 : above / below;
}

/** `worker-process`, `housekeeping-process`, or what else the process runs. */
function roleOf(pid: number): string {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return basename(words.find((word) => word.endsWith('.ts')) ?? words[0] ?? '', '.ts');
  } catch {
    return 'ended';
  }
}
