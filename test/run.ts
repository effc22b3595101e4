import { type ChildProcess, spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';

/**
 * Runs the tests, each file in a process of its own, so that none can lean on another's leavings, and one that hangs
 * or never ends costs itself only. Ends with the plain line `N passed, N failed`.
 *
 *   node test/run.ts [--all] [FILE...]    --all adds the long ones, *.long.test.ts
 */
const root = join(import.meta.dirname, '..');
const mocha = join(root, 'node_modules', 'mocha', 'bin', 'mocha.js');
/** http-proxy calls util._extend; the server's processes are started with the same. */
const NODE_ARGUMENTS = ['--disable-warning=DEP0060'];
/** Longest run of one file in milliseconds, and how long it may stay after its last test. */
const FILE_MS_MAX = 10 * 60_000;
const LINGER_MS_MAX = 15_000;

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

const { values, positionals } = parseArgs({
  options: { all: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const files = positionals.length > 0 ? positionals : findFiles(values.all);
const total: Counts = { passed: 0, failed: 0, skipped: 0 };
const failures: string[] = [];
const startedAtMs = performance.now();
let current: ChildProcess | undefined;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    if (current) killGroup(current);
    process.exit(1);
  });
}
for (const file of files) {
  const counts = await runFile(file);
  total.passed += counts.passed;
  total.failed += counts.failed;
  total.skipped += counts.skipped;
}
if (failures.length > 0) console.log(`\nFailed:\n${failures.join('\n')}`);
console.log(`\n${files.length} files in ${Math.round((performance.now() - startedAtMs) / 1000)} s`);
const skipped = total.skipped === 0 ? '' : `, ${total.skipped} skipped`;
console.log(`${total.passed} passed, ${total.failed} failed${skipped}`);
process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1;

function findFiles(isAll: boolean): readonly string[] {
  const found = globSync('test/**/*.test.ts', { cwd: root }).sort();
  return isAll ? found : found.filter((file) => !file.endsWith('.long.test.ts'));
}

async function runFile(file: string): Promise<Counts> {
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  const fileStartedAtMs = performance.now();
  const child = spawn(process.execPath, [...NODE_ARGUMENTS, mocha, '--reporter', 'json-stream', file], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    // A group of its own: what a test started and did not stop goes with it.
    detached: true,
  });
  current = child;
  const fail = (title: string, details: string) => {
    counts.failed += 1;
    failures.push(`  ${relative(root, join(root, file))}: ${title}`);
    console.log(`\n  FAILED ${file}: ${title}\n${details.replace(/^/gm, '    ')}\n`);
  };
  const hasEnded = await followRun(child, counts, fail);
  if (!hasEnded) fail('the run of this file', `ended without a result (exit code ${child.exitCode})`);
  const seconds = ((performance.now() - fileStartedAtMs) / 1000).toFixed(1);
  console.log(`${counts.failed === 0 ? 'ok    ' : 'FAILED'} ${file}  ${counts.passed} passed  ${seconds} s`);
  return counts;
}

/** @returns whether mocha came to its end by itself. */
async function followRun(
  child: ChildProcess,
  counts: Counts,
  fail: (title: string, details: string) => void,
): Promise<boolean> {
  let hasEnded = false;
  const stop = (title: string) => () => {
    fail(title, 'the file was stopped');
    killGroup(child);
  };
  let timer = setTimeout(stop(`took longer than ${FILE_MS_MAX / 60_000} minutes`), FILE_MS_MAX);
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()));
  if (!child.stdout) throw new Error('the child has no standard output');
  for await (const line of createInterface({ input: child.stdout })) {
    const event = readEvent(line);
    if (!event) {
      console.log(line);
    } else if (event.name === 'pass') {
      counts.passed += 1;
    } else if (event.name === 'fail') {
      fail(String(event.data.fullTitle), String(event.data.stack ?? event.data.err));
    } else if (event.name === 'end') {
      hasEnded = true;
      counts.skipped = Number(event.data.pending);
      clearTimeout(timer);
      timer = setTimeout(stop('left something open after its last test'), LINGER_MS_MAX);
    }
  }
  await exited;
  clearTimeout(timer);
  killGroup(child);
  return hasEnded;
}

interface MochaEvent {
  readonly name: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** One line of mocha's json-stream reporter; what a test printed itself is none. */
function readEvent(line: string): MochaEvent | undefined {
  if (!/^\["(?:start|pass|fail|end)",\{/.test(line)) return undefined;
  try {
    const [name, data] = JSON.parse(line);
    return { name, data };
  } catch {
    return undefined;
  }
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // Nobody of the group is left, as it should be.
  }
}
