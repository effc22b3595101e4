import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { GUARDS, type Guard } from './guard-list.ts';
import { AT_ONCE, workThrough } from './support/at-once.ts';
import { endWith, killGroup } from './support/process-group.ts';
import { type GuardRun, readTestEvent, whyNoControl, whyUnproved } from './support/proof.ts';

/**
 * Proves that each guard is tested: in a copy of the tree it is switched off, and one of its tests must fail by what
 * it says; one that takes too long proves nothing. Several are tried beside each other, each in a copy of its own.
 *
 *   node test/guards.ts [TEXT...]    only guards whose name or file holds one of the texts
 */
const root = join(import.meta.dirname, '..');
const wanted = process.argv.slice(2);
const guards = GUARDS.filter(
  ({ guard, file }) =>
    wanted.length === 0 || wanted.some((text) => guard.includes(text) || file.includes(text)),
);
/**
 * For all tests of a guard together, in milliseconds. Each has the time of an ordinary run, longer than the minute after
 * which a test that waits for something says that it came not.
 */
const RUN_MS_MAX = 8 * 60_000;
/** Tests that wait beside the others. */
const WAITING_AT_ONCE = 5;
const running = new Set<ChildProcess>();
endWith(running);
const waiting = guards.filter(({ waits }) => waits);
const working = guards.filter(({ waits }) => !waits);
const treesOf = (atOnce: number, list: readonly Guard[]) =>
  Array.from({ length: Math.min(atOnce, list.length) }, copyTree);
const [waitingTrees, workingTrees] = [treesOf(WAITING_AT_ONCE, waiting), treesOf(AT_ONCE, working)];
/** Tests that ran by themselves with every guard in place, by their files and title. */
const controls = new Map<string, Promise<GuardRun>>();
const startedAtMs = performance.now();
let unproved = 0;
try {
  await Promise.all([workThrough(waiting, waitingTrees, prove), workThrough(working, workingTrees, prove)]);
} finally {
  for (const tree of [...waitingTrees, ...workingTrees]) rmSync(tree, { recursive: true });
}
console.log(`\n${guards.length} guards in ${secondsSince(startedAtMs)} s`);
console.log(`${guards.length - unproved} passed, ${unproved} failed`);
process.exitCode = unproved === 0 && guards.length > 0 ? 0 : 1;

async function prove(guard: Guard, tree: string): Promise<void> {
  const beganAtMs = performance.now();
  const problem = (await tryBefore(guard, tree)) ?? (await tryWithout(guard, tree));
  const verdict = problem === undefined ? 'ok    ' : 'FAILED';
  console.log(`${verdict} ${guard.file}: ${guard.guard}  ${secondsSince(beganAtMs)} s`);
  if (problem === undefined) return;
  unproved += 1;
  console.log(`       ${problem}`);
}

function secondsSince(ms: number): string {
  return ((performance.now() - ms) / 1000).toFixed(1);
}

/** What git knows or would know of, so that neither data nor keys of a running server are copied. */
function copyTree(): string {
  const copy = mkdtempSync(join(tmpdir(), 'dockgate-guards-'));
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
  });
  for (const file of listed.toString().split('\0').filter(Boolean)) {
    mkdirSync(dirname(join(copy, file)), { recursive: true });
    cpSync(join(root, file), join(copy, file));
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

/** A test that leans on those before it would fail by itself, whatever is switched off. @returns that it does. */
async function tryBefore({ tests, title }: Guard, tree: string): Promise<string | undefined> {
  if (title === undefined) return undefined;
  const name = JSON.stringify([tests, title]);
  const control = controls.get(name) ?? runTests(tests, title, tree);
  controls.set(name, control);
  return whyNoControl(await control);
}

/** @returns why the guard is not proved. */
async function tryWithout(guard: Guard, tree: string): Promise<string | undefined> {
  const path = join(tree, guard.file);
  const source = readFileSync(path, 'utf8');
  const parts = source.split(guard.replace);
  if (parts.length !== 2) return `the guard's text occurs ${parts.length - 1} times in the file`;
  writeFileSync(path, parts.join(guard.with));
  try {
    return whyUnproved(await runTests(guard.tests, guard.title, tree));
  } finally {
    writeFileSync(path, source);
  }
}

/** Runs them until one fails by what it says: a timeout is waited out, and the others may say more. */
async function runTests(
  tests: readonly string[],
  title: string | undefined,
  tree: string,
): Promise<GuardRun> {
  const mocha = join(tree, 'node_modules', 'mocha', 'bin', 'mocha.js');
  const only = title === undefined ? [] : ['--fgrep', title];
  const options = ['--reporter', 'json-stream', '--exit', ...only];
  const child = spawn(process.execPath, [mocha, ...options, ...tests], {
    cwd: tree,
    stdio: ['ignore', 'pipe', 'ignore'],
    // A group of its own: a run that stops at the first failure leaves behind what its tests started.
    detached: true,
  });
  running.add(child);
  let [passed, failed, isStopped] = [0, 0, false];
  const timedOut: string[] = [];
  const timer = setTimeout(() => {
    isStopped = true;
    killGroup(child);
  }, RUN_MS_MAX);
  for await (const line of createInterface({ input: child.stdout })) {
    const event = readTestEvent(line);
    if (event?.kind === 'passed') passed += 1;
    if (event?.kind === 'timed-out') timedOut.push(event.title);
    if (event?.kind !== 'failed') continue;
    failed += 1;
    killGroup(child);
  }
  clearTimeout(timer);
  killGroup(child);
  running.delete(child);
  return { passed, failed, timedOut, isStopped };
}
