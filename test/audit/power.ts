import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from './disks.ts';
import { createLab, entry } from './lab.ts';
import type { LostPower } from './lost-power.ts';
import { answersIn } from './traced.ts';

/** Random numbers that a printed seed gives again (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What is left of a traced work at one moment; the folder goes when `look` has ended. */
export async function afterward(
  state: LostPower,
  random: () => number,
  how: 'killed' | 'unpowered' | 'without fsync',
  look: (directory: string, answered: readonly number[]) => Promise<void>,
): Promise<void> {
  const home = await mkdtemp(join(tmpdir(), 'dockgate-after-'));
  try {
    if (how === 'killed') state.writeKilled(home, random);
    else state.writeUnpowered(home, random, how === 'unpowered');
    await look(join(home, 'audit'), answersIn(state));
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

/** Goes on with what was left. @returns the acknowledged numbers that the log does not hold. */
export async function missingAfterRestart(
  directory: string,
  answered: readonly number[],
): Promise<readonly number[]> {
  assert.ok(await readdir(directory).catch(() => undefined), 'the directory is gone');
  const lab = await createLab(directory);
  try {
    const writer = await lab.openWriter();
    const sequencer = await lab.openSequencer();
    await writer.record(entry());
    await sequencer.step();
    // The index follows a long way beside the steps.
    await until(() => lab.index.records.length === sequencer.size(), 'the index has all records');
    const report = await lab.verify();
    assert.deepEqual([report.damage, report.waiting], [undefined, 0]);
    const found = lab.index.records.map(({ record }) => record.seq);
    assert.deepEqual(
      found,
      Array.from({ length: found.length }, (_, at) => at + 1),
    );
    const numbers = new Set(found);
    return answered.filter((seq) => !numbers.has(seq));
  } finally {
    await lab.end();
  }
}
