import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MiB } from '../src/base/index.ts';
import type { RowSet } from './bench.ts';
import { columnsOf } from './columns.ts';
import { type BenchOptions, readOptions } from './options.ts';
import { printPage, printRow } from './page.ts';
import { createPeers } from './peers.ts';
import { drawSet } from './plot.ts';
import { readTicksPerSecond } from './processes.ts';
import { describeMachine } from './report.ts';
import type { Results, Sample, SetRun } from './results.ts';
import { SETS } from './sets.ts';
import { createSupply } from './supply.ts';
import { missingPeers, missingTools, widenPath } from './tools.ts';

/** `node bench/run.ts --help` says what this does. */
const RESULTS = 'results.json';

function say(text: string): void {
  process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);
}

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (typeof options === 'string') {
    process.stdout.write(options);
    return;
  }
  const before = options.out === undefined ? undefined : readResults(options.out);
  if (options.isRender) {
    if (!before || options.out === undefined) throw new Error(`there is no ${RESULTS} to render`);
    writeAll(options.out, before);
    return;
  }
  widenPath();
  const lacking = missingTools();
  if (lacking.length > 0)
    throw new Error(`not found: ${lacking.join(', ')}. \`sh test/setup.sh --bench\` installs them.`);
  await measure(options, before ?? { sets: {}, missing: [] });
}

/** Writes after each set, so that a run that is ended early has not been in vain. */
async function measure(options: BenchOptions, before: Results): Promise<void> {
  const missing = missingPeers();
  for (const text of missing.values()) say(`not measured: ${text}`);
  const absent = new Map(missing);
  for (const id of options.without) absent.set(id, 'left out');
  await using closing = new AsyncDisposableStack();
  const directory = mkdtempSync(join(tmpdir(), 'dockgate-bench-'));
  closing.defer(() => rmSync(directory, { recursive: true, force: true }));
  const peers = createPeers(absent, say);
  closing.defer(peers.stop);
  const shared = {
    ...{ isQuick: options.isQuick, rounds: options.rounds, minutes: options.minutes, directory, say, peers },
    ticksPerSecond: await readTicksPerSecond(),
    supply: createSupply((options.isQuick ? 8 : 256) * MiB),
  };
  let results = before;
  const failed: string[] = [];
  for (const set of SETS.filter(({ id }) => options.sets.includes(id))) {
    say(`${set.id}: ${set.title}`);
    const [samples, notes]: [Sample[], string[]] = [[], []];
    const [machine, startedMs, startedAt] = [describeMachine(), performance.now(), new Date().toISOString()];
    const fail = (text: string) => {
      failed.push(`${set.id}: ${text}`);
      notes.push(`Failed: ${text.split('\n')[0]}`);
      say(`failed: ${text}`);
    };
    try {
      await set.run({ ...shared, add: (one) => samples.push(one), fail });
    } catch (error) {
      // The other sets are worth having; the end says what went wrong.
      fail(error instanceof Error ? error.message : String(error));
    }
    const seconds = (performance.now() - startedMs) / 1000;
    const { isQuick, rounds } = options;
    const run: SetRun = { startedAt, seconds, rounds, isQuick, machine, samples, notes };
    results = { sets: { ...results.sets, [set.id]: run }, missing: [...missing.values()] };
    process.stdout.write(`\n${printSet(results, set)}\n\n`);
    if (options.out !== undefined) writeAll(options.out, results);
  }
  if (failed.length > 0) throw new Error(`${failed.length} failed:\n${failed.join('\n')}`);
}

function printSet(results: Results, set: RowSet): string {
  return set.rows
    .flatMap((row) => {
      const columns = columnsOf(results, row.id);
      return columns.length === 0 ? [] : [printRow(results, row, columns)];
    })
    .join('\n\n');
}

function readResults(out: string): Results | undefined {
  const path = join(out, RESULTS);
  if (!existsSync(path)) return undefined;
  const results: Results = JSON.parse(readFileSync(path, 'utf8'));
  return results;
}

function writeAll(out: string, results: Results): void {
  mkdirSync(join(out, 'plots'), { recursive: true });
  writeFileSync(join(out, RESULTS), `${JSON.stringify(results, null, 1)}\n`);
  writeFileSync(join(out, 'results.md'), printPage(results));
  for (const set of SETS) {
    if (results.sets[set.id]) writeFileSync(join(out, 'plots', `${set.id}.svg`), drawSet(results, set));
  }
  say(`written to ${out}`);
}

// Every server that is started ends with this process.
process.setMaxListeners(100);
// What is at exit ends the peers; their folders stay in the temporary directory then.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
await main().catch((error: unknown) => {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
});
