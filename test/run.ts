import { type ChildProcess, spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { AT_ONCE, workThrough } from './support/at-once.ts';
import { endWith, killGroup } from './support/process-group.ts';

/**
 * Runs the tests, each file in a process of its own, so that none can lean on another's leavings, and one that hangs
 * or never ends costs itself only. Several files run beside each other; what a file prints comes in one piece when it
 * ends. Ends with the plain line `N passed, N failed`.
 *
 *   node test/run.ts [--all] [--jobs N] [FILE...]    --all adds the long ones, *.long.test.ts
 */
const root = join(import.meta.dirname, '..');
const mocha = join(root, 'node_modules', 'mocha', 'bin', 'mocha.js');
/** http-proxy calls util._extend; the server's processes are started with the same. */
const NODE_ARGUMENTS = ['--disable-warning=DEP0060'];
/** Longest run of one file in milliseconds, and how long it may stay after its last test. */
const FILE_MS_MAX = 15 * 60_000;
const LINGER_MS_MAX = 60_000;
/** Files that measure, that fill the machine or that share a daemon's state: nothing runs beside them. */
const RUNS_ALONE = [/\.long\.test\.ts$/, /^test\/clients\//];

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

const { values, positionals } = parseArgs({
  options: { all: { type: 'boolean', default: false }, jobs: { type: 'string', default: String(AT_ONCE) } },
  allowPositionals: true,
});
const jobs = Number(values.jobs);
if (!Number.isSafeInteger(jobs) || jobs < 1)
  throw new Error(`--jobs takes a number from 1, not ${values.jobs}`);
const files = positionals.length > 0 ? positionals : findFiles(values.all);
const total: Counts = { passed: 0, failed: 0, skipped: 0 };
const failures: string[] = [];
const startedAtMs = performance.now();
const running = new Set<ChildProcess>();
endWith(running);
const lanes = Array.from({ length: jobs }, (_, lane) => lane);
await workThrough(
  files.filter((file) => !runsAlone(file)),
  lanes,
  addFile,
);
await workThrough(files.filter(runsAlone), ['alone'], addFile);
if (failures.length > 0) console.log(`\nFailed:\n${failures.join('\n')}`);
console.log(`\n${files.length} files in ${Math.round((performance.now() - startedAtMs) / 1000)} s`);
const skipped = total.skipped === 0 ? '' : `, ${total.skipped} skipped`;
console.log(`${total.passed} passed, ${total.failed} failed${skipped}`);
process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1;

function findFiles(isAll: boolean): readonly string[] {
  const found = globSync('test/**/*.test.ts', { cwd: root }).sort();
  return isAll ? found : found.filter((file) => !file.endsWith('.long.test.ts'));
}

function runsAlone(file: string): boolean {
  const path = relative(root, join(root, file));
  return RUNS_ALONE.some((pattern) => pattern.test(path));
}

async function addFile(file: string): Promise<void> {
  const counts = await runFile(file);
  total.passed += counts.passed;
  total.failed += counts.failed;
  total.skipped += counts.skipped;
}

async function runFile(file: string): Promise<Counts> {
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  const printed: string[] = [];
  const fileStartedAtMs = performance.now();
  const child = spawn(process.execPath, [...NODE_ARGUMENTS, mocha, '--reporter', 'json-stream', file], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own: what a test started and did not stop goes with it.
    detached: true,
  });
  running.add(child);
  child.stderr.on('data', (chunk: Buffer) => printed.push(chunk.toString().trimEnd()));
  const fail = (title: string, details: string) => {
    counts.failed += 1;
    failures.push(`  ${relative(root, join(root, file))}: ${title}`);
    printed.push(`\n  FAILED ${file}: ${title}\n${details.replace(/^/gm, '    ')}\n`);
  };
  const hasEnded = await followRun(child, counts, fail, (line) => printed.push(line));
  running.delete(child);
  if (!hasEnded) fail('the run of this file', `ended without a result (exit code ${child.exitCode})`);
  const seconds = ((performance.now() - fileStartedAtMs) / 1000).toFixed(1);
  printed.push(`${counts.failed === 0 ? 'ok    ' : 'FAILED'} ${file}  ${counts.passed} passed  ${seconds} s`);
  console.log(printed.join('\n'));
  return counts;
}

/** @returns whether mocha came to its end by itself. */
async function followRun(
  child: ChildProcess,
  counts: Counts,
  fail: (title: string, details: string) => void,
  print: (line: string) => void,
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
      print(line);
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
