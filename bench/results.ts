import { type Machine, median } from './report.ts';

/** What one measurement of one column (a peer, or a size) found, by the ids of the row's metrics. */
export interface Sample {
  readonly row: string;
  readonly column: string;
  readonly values: Readonly<Record<string, number>>;
}

/** One run of a row set. */
export interface SetRun {
  readonly startedAt: string;
  readonly seconds: number;
  readonly rounds: number;
  readonly isQuick: boolean;
  readonly machine: Machine;
  readonly samples: readonly Sample[];
  /** What the run says of itself, a sentence each. */
  readonly notes: readonly string[];
}

/** Everything that is kept of runs, so that the page can be printed again. */
export interface Results {
  readonly sets: Readonly<Record<string, SetRun>>;
  /** What this machine did not have, and why not. */
  readonly missing: readonly string[];
}

export interface Metric {
  readonly id: string;
  /** With its unit. */
  readonly label: string;
  /** Behind the point. */
  readonly digits: number;
  readonly isLowBetter?: boolean;
}

/** One kind of work; the first metric is what it is about, and what its plot shows. */
export interface Row {
  readonly id: string;
  readonly label: string;
  readonly metrics: readonly Metric[];
}

/** The values of the rounds; empty when nothing was measured. */
export function valuesOf(results: Results, row: string, column: string, metric: string): readonly number[] {
  return Object.values(results.sets)
    .flatMap(({ samples }) => samples)
    .filter((sample) => sample.row === row && sample.column === column)
    .flatMap(({ values }) => values[metric] ?? []);
}

/** The median of the rounds; NaN when nothing was measured. */
export function medianOf(results: Results, row: string, column: string, metric: string): number {
  return median(valuesOf(results, row, column, metric));
}
