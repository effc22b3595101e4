import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { LostPower } from './lost-power.ts';
import { readTrace, TRACED, type TraceStep } from './trace.ts';

const run = promisify(execFile);
const CHILD = fileURLToPath(new URL('./crash-child.ts', import.meta.url));

/** A writer and a sequencer at work under load, call by call. */
export interface Traced {
  /** The state at random moments after the first answer, in their order. */
  moments(count: number, random: () => number): Generator<LostPower>;
  end(): Promise<void>;
}

/** Whether system calls can be traced here: that takes strace and leave to use it. */
export async function canTrace(): Promise<boolean> {
  return run('strace', ['-o', '/dev/null', 'true']).then(
    () => true,
    () => false,
  );
}

/** Runs writer and sequencer until `answers` records were acknowledged, and records their system calls. */
export async function traceWork(answers: number): Promise<Traced> {
  const home = await mkdtemp(join(tmpdir(), 'dockgate-traced-'));
  const [directory, trace] = [join(home, 'audit'), join(home, 'trace')];
  await run(
    'strace',
    // Longer than any write: what is not in the trace cannot be played.
    ['-f', '-xx', '-s', '16000000', '-e', `trace=${TRACED}`, '-e', 'signal=none', '-o', trace].concat([
      process.execPath,
      CHILD,
      directory,
      'w1',
      'sequence',
      String(answers),
    ]),
    { maxBuffer: 64 * 1024 * 1024 },
  );
  const steps = await readTrace(trace);
  return {
    moments: (count, random) => playTo(momentsIn(steps, count, random), steps, new LostPower(home)),
    end: () => rm(home, { recursive: true, force: true }),
  };
}

function momentsIn(steps: readonly TraceStep[], count: number, random: () => number): readonly number[] {
  const first = steps.findIndex(({ call }) => call.name === 'write' && call.given.startsWith('1, '));
  const span = steps.length - first;
  return Array.from({ length: count }, () => first + 1 + Math.floor(random() * span)).sort((a, b) => a - b);
}

function* playTo(
  moments: readonly number[],
  steps: readonly TraceStep[],
  state: LostPower,
): Generator<LostPower> {
  let played = 0;
  for (const moment of moments) {
    for (const step of steps.slice(played, moment)) state.play(step);
    played = moment;
    yield state;
  }
}

/** The numbers that were acknowledged. */
export function answersIn({ said }: LostPower): readonly number[] {
  return said.split('\n').filter(Boolean).map(Number);
}
