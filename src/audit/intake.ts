import { rm } from 'node:fs/promises';
import type { Logger } from '../base/index.ts';
import { syncDirectory } from './disk.ts';
import type { Position } from './positions.ts';
import { type TailLine, WriterTail } from './tail.ts';
import { listSegments, walDirectory } from './wal.ts';

/** What the sequencer takes up: the write-ahead lines of all writers. */
export interface Intake {
  /** Durable lines that the log does not hold yet, in the order of their arrival; a few MiB a writer at most. */
  collect(): Promise<{ readonly lines: readonly TailLine[]; readonly hasMore: boolean }>;
  /** Removes segments; call it when a durable checkpoint covers all that was collected. */
  removeCovered(): Promise<void>;
}

/** @param writers where the log stands now, by writer. */
export function createIntake(
  directory: string,
  writers: ReadonlyMap<string, Position>,
  logger: Logger,
): Intake {
  const tails = new Map<string, WriterTail>();
  return {
    async collect() {
      const lines: TailLine[] = [];
      let hasMore = false;
      const listed = await listSegments(directory);
      // Also writers whose files are all gone: their tails have to see it.
      for (const writer of new Set([...listed.keys(), ...tails.keys()])) {
        const segments = listed.get(writer) ?? [];
        const tail = tails.get(writer) ?? new WriterTail(writers.get(writer));
        tails.set(writer, tail);
        const read = await tail.read(segments);
        for (const { problem, segment, note } of read.problems) {
          logger.warn('write-ahead file of the access log', { writer, segment, problem, note });
        }
        lines.push(...read.lines);
        hasMore ||= read.hasMore;
      }
      // Within a writer times never go back, so a stable sort keeps its numbers in order.
      lines.sort(byTime);
      return { lines, hasMore };
    },
    async removeCovered() {
      let isChanged = false;
      for (const [writer, segments] of await listSegments(directory)) {
        // The segment with a writer's last line stays: the writer finds its next number there.
        const keptFrom = tails.get(writer)?.keptFrom ?? 0;
        for (const segment of segments.filter((each) => each.number < keptFrom)) {
          await rm(segment.path, { force: true });
          isChanged = true;
        }
      }
      if (isChanged) await syncDirectory(walDirectory(directory));
    },
  };
}

function byTime(a: TailLine, b: TailLine): number {
  if (a.record.time === b.record.time) return 0;
  return a.record.time < b.record.time ? -1 : 1;
}
