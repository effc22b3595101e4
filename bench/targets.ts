import { medianOf, type Results, valuesOf } from './results.ts';

/** What issue 8 asks for: what is to be reached, and what the results say of it. */
interface Target {
  readonly work: string;
  readonly reach: string;
  /** NaN when it was not measured. */
  readonly measured: (results: Results) => number;
  readonly print: (value: number) => string;
  readonly isMet: (value: number) => boolean;
}

const TARGETS: readonly Target[] = [
  atLeast(10, 'manifest by digest, warm, 32 connections', 'manifest-digest-32', 'docker-registry'),
  atLeast(7, 'the same', 'manifest-digest-32', 'nginx'),
  atLeast(7, 'the same', 'manifest-digest-32', 'zot'),
  atLeast(15, 'the same, `audit.durability: os`', 'manifest-digest-32', 'docker-registry', 'dockgate-os'),
  atLeast(8, 'manifest by tag, warm, 32 connections', 'manifest-tag-32', 'docker-registry'),
  atLeast(4, 'manifest on a new TLS connection', 'manifest-new', 'docker-registry'),
  atLeast(1.6, 'the same', 'manifest-new', 'nginx'),
  ratio({
    ...{ work: '256 MiB blob, warm', row: 'blob-large-warm', metric: 'megabytesPerSecond' },
    ...{ base: 'docker-registry', least: 1.2 },
  }),
  ratio({
    ...{ work: 'the same', row: 'blob-large-warm', metric: 'megabytesPerSecond' },
    ...{ base: 'nginx', least: 1 },
  }),
  ratio({
    ...{ work: '256 MiB blob, warm: CPU s/GiB', row: 'blob-large-warm', metric: 'cpuSecondsPerGibibyte' },
    ...{ base: 'docker-registry', most: 0.75 },
  }),
  atLeast(10, '4 KiB blob, warm', 'blob-tiny-warm', 'docker-registry'),
  ratio({
    ...{ work: '256 MiB blob, cold', row: 'blob-large-cold', metric: 'megabytesPerSecond' },
    ...{ base: 'nginx', least: 0.9 },
  }),
  ratio({
    ...{ work: 'push of 20 × 16 MiB layers', row: 'push-20', metric: 'megabytesPerSecond' },
    ...{ base: 'docker-registry', least: 0.9 },
  }),
  {
    work: 'stampede of 200 on a cold image: requests for one blob at the upstream',
    reach: '1',
    measured(results) {
      const seen = ['stampede-link', 'stampede-near'].flatMap((row) =>
        valuesOf(results, row, '200 clients', 'questionsOfBlob'),
      );
      return seen.length === 0 ? Number.NaN : Math.max(...seen);
    },
    print: (value) => value.toFixed(0),
    isMet: (value) => value === 1,
  },
  stampede('registry behind 10 Mbit/s', 'stampede-link'),
  stampede('registry on the same machine', 'stampede-near'),
  limit('99 % of a warm manifest at half of the peak', 5, 'ms', 'open-loop', 'p99Ms'),
  limit('memory of a worker through 50 pulls of 1 GiB', 200, 'MB', 'memory-50', 'workerMiB', 1.048576),
  {
    work: 'memory through an hour of load',
    reach: 'flat: last tenth ≤ 1.1 × second tenth',
    measured: (results) =>
      medianOf(results, 'memory-hour', 'dockgate', 'lastMiB') /
      medianOf(results, 'memory-hour', 'dockgate', 'earlyMiB'),
    print: times,
    isMet: (value) => value <= 1.1,
  },
  limit('from an empty directory to the first pull answered', 2, 's', 'start', 'pullSeconds'),
];

function atLeast(least: number, work: string, row: string, base: string, peer = 'dockgate'): Target {
  return ratio({ work, row, metric: 'perSecond', base, least, peer });
}

function ratio(asked: {
  readonly work: string;
  readonly row: string;
  readonly metric: string;
  readonly base: string;
  readonly peer?: string;
  readonly least?: number;
  readonly most?: number;
}): Target {
  const { work, row, metric, base, peer = 'dockgate', least, most } = asked;
  return {
    work,
    reach: `${least === undefined ? `≤ ${most}` : `≥ ${least}`} × ${base}`,
    measured: (results) => medianOf(results, row, peer, metric) / medianOf(results, row, base, metric),
    print: times,
    isMet: (value) => value >= (least ?? 0) && value <= (most ?? Number.POSITIVE_INFINITY),
  };
}

function stampede(where: string, row: string): Target {
  return {
    work: `the same: time on the wall, ${where}`,
    reach: "≤ 1.3 × one client's",
    measured: (results) =>
      medianOf(results, row, '200 clients', 'seconds') / medianOf(results, row, '1 client', 'seconds'),
    print: times,
    isMet: (value) => value <= 1.3,
  };
}

function limit(work: string, most: number, unit: string, row: string, metric: string, factor = 1): Target {
  return {
    work,
    reach: `≤ ${most} ${unit}`,
    measured: (results) => medianOf(results, row, 'dockgate', metric) * factor,
    print: (value) => `${value.toFixed(most < 10 ? 2 : 0)} ${unit}`,
    isMet: (value) => value <= most,
  };
}

function times(value: number): string {
  return `${value.toFixed(2)} ×`;
}

/** A table in Markdown. */
export function printTargets(results: Results): string {
  const rows = TARGETS.map(({ work, reach, measured, print, isMet }) => {
    const value = measured(results);
    const verdict = Number.isNaN(value)
      ? ['not measured', '']
      : [print(value), isMet(value) ? 'met' : '**not met**'];
    return `| ${[work, reach, ...verdict].join(' | ')} |`;
  });
  return ['| work | reach | measured | |', '| --- | --- | ---: | --- |', ...rows].join('\n');
}
