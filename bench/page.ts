import type { RowSet } from './bench.ts';
import { columnsOf, nameOf } from './columns.ts';
import { median } from './report.ts';
import { type Metric, type Results, type SetRun, valuesOf } from './results.ts';
import { SETS } from './sets.ts';
import { printTargets } from './targets.ts';

/** What the others are compared with. */
const BASE = 'docker-registry';

/** The page that is kept in the repository; its plots lie in `plots/ID.svg` beside it. */
export function printPage(results: Results): string {
  const sections = SETS.flatMap((set) => {
    const run = results.sets[set.id];
    return run ? [printSection(results, set, run)] : [];
  });
  const missing = results.missing.map((text) => `- Not here: ${text}`);
  return [
    HEAD,
    ...(missing.length > 0 ? [missing.join('\n')] : []),
    '## What is to be reached',
    printTargets(results),
    ...sections,
  ]
    .join('\n\n')
    .concat('\n');
}

const HEAD = `# Measured

Written by \`npm run bench\` (\`node bench/run.ts --help\`). Ratios count, not the numbers: all peers run on one machine, with
the clients, in one run, in turns, another one first in each round. The load generators share the processors with what
they load, the same for every peer, so a fast peer is slowed by its own client more than a slow one.

- **dockgate**: two workers in front of a docker-registry of its own, with all that it does by default: TLS, a token
  checked on each request, the caller's grants, the image judged by the shipped policies (scanned by the inspector), and
  the record of the decision on stable storage before the first byte (\`audit.durability: disk\`). The limits on requests
  are raised out of reach, since one client is all the load. **\`os\`**: the same with that durability. **embedded**: no
  registry behind it.
- **docker-registry**: Debian's 2.8.2, TLS with the same certificate, tokens that dockgate issued, its own cache of sizes in
  memory as Debian configures it, no access log, which favours it.
- **nginx**: Debian's 1.22, two workers, ends TLS in front of such a docker-registry on kept connections; it passes through
  and caches nothing, for what it cached it would hand to anybody: \`proxy_cache\` looks at no token. No access log.
- **distribution 3**: built from its Go module, as docker-registry. **zot**: the one on the PATH, bearer tokens, no access log.
- CPU is user and system time of all processes of a peer, the registry behind it included and the clients not, until it
  has come to rest after its last answer.
- A cell is the median of the rounds (lowest to highest); \`×\` is its ratio to docker-registry.`;

function printSection(results: Results, set: RowSet, run: SetRun): string {
  const { machine } = run;
  const tables = set.rows.flatMap((row) => {
    const columns = columnsOf(results, row.id);
    return columns.length === 0 ? [] : [printRow(results, row, columns)];
  });
  const rounds = `${run.rounds} ${run.rounds === 1 ? 'round' : 'rounds'}`;
  const quick = run.isQuick ? ', `--quick`: sizes and times too small to say much' : '';
  return [
    `## ${set.title}`,
    set.about,
    `![${set.title}](plots/${set.id}.svg)`,
    ...tables,
    ...run.notes.map((note) => `- ${note}`),
    `${run.startedAt.slice(0, 16).replace('T', ' ')} UTC, ${rounds}${quick}; ${machine.processors}, ${machine.memoryGiB} GiB memory, ` +
      `${machine.kernel}, Node ${machine.node}; load average before ${machine.loadBefore.toFixed(1)}.`,
  ].join('\n\n');
}

/** One row of the set as a table: its metrics down, the columns across. */
export function printRow(
  results: Results,
  row: { readonly id: string; readonly label: string; readonly metrics: readonly Metric[] },
  columns: readonly string[],
): string {
  const lines = row.metrics.map((metric) => {
    const base = median(valuesOf(results, row.id, BASE, metric.id));
    const cells = columns.map((column) => {
      const values = valuesOf(results, row.id, column, metric.id);
      const times = column === BASE ? '' : ratioText(median(values) / base);
      return `${printSpread(values, metric.digits)}${times}`;
    });
    return [metric.label, ...cells];
  });
  return [[row.label, ...columns.map(nameOf)], ['---', ...columns.map(() => '---:')], ...lines]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}

function ratioText(ratio: number): string {
  return Number.isFinite(ratio) ? `, ${ratio.toFixed(2)} ×` : '';
}

function printSpread(values: readonly number[], digits: number): string {
  if (values.length === 0) return '';
  const middle = median(values).toFixed(digits);
  if (values.length === 1) return middle;
  return `${middle} (${Math.min(...values).toFixed(digits)} to ${Math.max(...values).toFixed(digits)})`;
}
