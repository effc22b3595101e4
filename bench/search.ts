import { spawnSync } from 'node:child_process';
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { RecordIndexReads, RecordQuery } from '../src/audit/index.ts';
import { silentLogger, systemClock, systemRandom } from '../src/base/index.ts';
import { openStoreReads, openStoreWrites } from '../src/store/index.ts';
import { fillIndex } from './fill-index.ts';
import { recordAt } from './records.ts';
import { describeMachine } from './report.ts';

/**
 * Fills a search index of the access log and measures questions to it, cold and warm.
 *
 *   node bench/search.ts --data DIR [--records 10000000] [--write]
 *
 * An index of that size in DIR is used again. --write replaces bench/search.md.
 */
const BATCH = 500;
const APPENDED = 20_000;
const WARM_ROUNDS = 20;

interface Question {
  readonly name: string;
  readonly ask: (index: RecordIndexReads) => Promise<unknown>;
}

const page = (name: string, query: Partial<RecordQuery>): Question => ({
  name,
  ask: (index) => index.search({ limit: 50, ...query }),
});

function questionsOf(count: number): readonly Question[] {
  const digest = recordAt(3, count).record.digest;
  const { requestId } = recordAt(Math.floor(count / 3), count).record;
  const day = (number: number) => Date.UTC(2026, 0, number);
  return [
    page('the newest', {}),
    page('in the middle, by cursor', { beforeIndex: Math.floor(count / 2) }),
    page('one hour of two months ago', { sinceMs: day(31), untilMs: day(31) + 3_600_000 }),
    page('a frequent user', { user: 'user1' }),
    page('a rare user', { user: 'user1990' }),
    page('a digest', { digest }),
    page('an address', { address: '10.0.3.7' }),
    page('one request', { requestId }),
    page('what was limited', { outcome: 'limited' }),
    page('what a rule refused in a repository', { rule: 'vulnerabilities', repository: 'team7/app107' }),
    page('two frequent terms, rarely together', { user: 'user0', address: '10.0.19.1' }),
    page('four terms and a time', {
      ...{ user: 'user1', action: 'pull', outcome: 'refused', repository: 'team0/app0' },
      sinceMs: day(20),
      untilMs: day(60),
    }),
    page('two terms that never meet', { action: 'sign-in', repository: 'team0/app0' }),
    page('1000 records at once', { limit: 1000, action: 'pull' }),
    { name: 'counts by day', ask: (index) => index.count({ by: 'day' }) },
    { name: 'counts by day of a user', ask: (index) => index.count({ by: 'day', user: 'user1' }) },
    {
      name: 'counts by user of a month',
      ask: (index) => index.count({ by: 'user', sinceMs: day(1), untilMs: day(32) }),
    },
    {
      name: 'counts by action of a user, one page (2000 records)',
      ask: (index) => index.count({ by: 'action', user: 'user1' }),
    },
  ];
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      data: { type: 'string' },
      records: { type: 'string', default: '10000000' },
      write: { type: 'boolean', default: false },
    },
  });
  const count = Number(values.records);
  if (values.data === undefined || !Number.isInteger(count) || count < 1) {
    throw new Error('usage: node bench/search.ts --data DIR [--records N] [--write]');
  }
  const directory = resolve(values.data);
  mkdirSync(directory, { recursive: true });
  const filled = await fill(directory, count);
  const rows: string[] = [];
  for (const question of questionsOf(count)) rows.push(await measure(directory, question));
  const bytes = statSync(join(directory, 'audit-index.db')).size;
  const text = printPage({ count, filled, bytes, rows });
  process.stdout.write(text);
  if (values.write) writeFileSync(join(import.meta.dirname, 'search.md'), text);
}

/**
 * Some records are appended as the sequencer does, to see how fast that is; then the file is filled in one go.
 *
 * @returns records a second, of those that were appended; `undefined` when the file was there before.
 */
async function fill(directory: string, count: number): Promise<number | undefined> {
  const say = (text: string) => process.stderr.write(`${text}\n`);
  const publish = async () => {};
  const parts = { clock: systemClock, random: systemRandom, logger: silentLogger, publish };
  const store = await openStoreWrites({ directory }, parts);
  let perSecond: number | undefined;
  try {
    if ((await store.recordIndex.nextIndex()) === count) return undefined;
    await store.recordIndex.clear();
    const records = Array.from({ length: Math.min(count, APPENDED) }, (_, index) => recordAt(index, count));
    const started = performance.now();
    for (let next = 0; next < records.length; next += BATCH) {
      await store.recordIndex.append(records.slice(next, next + BATCH));
    }
    perSecond = (records.length / (performance.now() - started)) * 1000;
    await store.recordIndex.clear();
  } finally {
    await store.close();
  }
  fillIndex(directory, count, say);
  return perSecond;
}

async function measure(directory: string, { name, ask }: Question): Promise<string> {
  forgetPages(join(directory, 'audit-index.db'));
  const store = await openStoreReads({ directory }, { logger: silentLogger });
  try {
    const timed = async () => {
      const started = performance.now();
      await ask(store.recordIndex);
      return performance.now() - started;
    };
    const coldMs = await timed();
    const warmMs: number[] = [];
    for (let round = 0; round < WARM_ROUNDS; round++) warmMs.push(await timed());
    warmMs.sort((a, b) => a - b);
    const median = warmMs[WARM_ROUNDS / 2] ?? 0;
    return `| ${name} | ${coldMs.toFixed(1)} | ${median.toFixed(1)} | ${(warmMs.at(-1) ?? 0).toFixed(1)} |`;
  } finally {
    await store.close();
  }
}

/** Takes a file's pages out of the system's memory, and nobody else's. */
function forgetPages(path: string): void {
  spawnSync('dd', [`of=${path}`, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0'], { stdio: 'ignore' });
}

function printPage(results: {
  readonly count: number;
  readonly filled: number | undefined;
  readonly bytes: number;
  readonly rows: readonly string[];
}): string {
  const { count, filled, bytes, rows } = results;
  const machine = describeMachine();
  const rate = filled === undefined ? '' : ` Appending: ${filled.toFixed(0)} records a second.`;
  return `# Searching the access log, measured

Written by \`node bench/search.ts --data DIR --write\`: one process, SQLite, ${count} records of 90 days, 50 records a page.
Cold: a new connection, none of the file in memory. Warm: ${WARM_ROUNDS} times after that.

| question | cold, ms | warm, median ms | warm, slowest ms |
| --- | ---: | ---: | ---: |
${rows.join('\n')}

- The index: ${(bytes / 2 ** 30).toFixed(1)} GiB, ${(bytes / count).toFixed(0)} bytes a record.${rate}
- A page looks at 10,000 candidates at most, and then says where the next goes on: what never meets takes several.
- Machine: ${machine.processors}, ${machine.memoryGiB} GiB memory, ${machine.kernel}, Node ${machine.node}; load average before
  the run ${machine.loadBefore.toFixed(1)}.
`;
}

await main();
