import { rm, stat } from 'node:fs/promises';
import type { Clock } from '../base/index.ts';
import { isThere, makeDirectory, syncDirectory } from './disk.ts';
import { notInLog } from './rescue.ts';
import { type Durability, type OpenSegment, type SegmentFile, SegmentGone } from './segment-file.ts';
import { segmentPath, walDirectory } from './wal.ts';

/** How often, in milliseconds, a busy writer looks whether its file is still where it belongs. */
const CHECK_MS = 100;

export interface SeriesOptions {
  readonly directory: string;
  readonly writer: string;
  readonly durability: Durability;
  /** A segment is followed by the next one when it has grown to this. */
  readonly segmentBytesMax: number;
  /** Number of the first segment to make. */
  readonly firstNumber: number;
}

/** The segments of one writer, one after the other. Appends must not overlap. */
export interface Series {
  /** Number of the segment that is written, or of the next one when none is open. */
  readonly number: number;
  /**
   * @throws whatever went wrong. The segment is then closed as suspect and never written again: after an error a
   * later success of the same file proves nothing (threat A-13). The next append begins a new one.
   */
  append(bytes: Uint8Array): Promise<void>;
  /** Looks whether the segment is still where it belongs, which a busy writer does by itself. @throws as `append`. */
  look(): Promise<void>;
  close(): Promise<void>;
}

/** @param checkLock throws when the writer's lock is no longer ours. */
export function createSeries(
  options: SeriesOptions,
  parts: {
    readonly clock: Clock;
    readonly openSegment: OpenSegment;
    readonly checkLock: () => Promise<void>;
    /** A segment lost its name while it was in use; what the log did not hold of it was written to the next one. */
    readonly onRescued?: (rescued: { readonly segment: number; readonly bytes: number }) => void;
  },
): Series {
  let number = options.firstNumber;
  let current: SegmentFile | undefined;
  let bytesWritten = 0;
  let checkedAtMs = Number.NEGATIVE_INFINITY;
  /** What was acknowledged and has no file any more: nothing else is written before it. */
  let homeless: { readonly segment: number; readonly bytes: Buffer } | undefined;

  const begin = async (): Promise<SegmentFile> => {
    // Only `wal` is made again: without the directory around it nobody knows what the log holds.
    if (!(await isThere(options.directory))) throw new Error(`${options.directory}: not there any more`);
    await makeDirectory(walDirectory(options.directory));
    const segment = await parts.openSegment(
      segmentPath(options.directory, options.writer, number),
      options.durability,
    );
    current = segment;
    checkedAtMs = Number.NEGATIVE_INFINITY;
    // Without this a power loss could take the whole file, however durable its bytes are.
    if (options.durability === 'disk') await syncDirectory(walDirectory(options.directory));
    if (homeless !== undefined) await house(segment, homeless);
    return segment;
  };

  const house = async (
    segment: SegmentFile,
    lost: { readonly segment: number; readonly bytes: Buffer },
  ): Promise<void> => {
    // Whoever took this writer over goes on where the files end, without these.
    await parts.checkLock();
    const bytes = await notInLog(options.directory, options.writer, lost.bytes);
    if (bytes.length > 0) await segment.append(bytes);
    bytesWritten += bytes.length;
    await segment.check();
    homeless = undefined;
    parts.onRescued?.({ segment: lost.segment, bytes: bytes.length });
  };

  /** Before the records are acknowledged: whoever was stopped meanwhile may have lost file and lock. */
  const check = async (segment: SegmentFile): Promise<void> => {
    await Promise.all([segment.check(), parts.checkLock()]);
    checkedAtMs = parts.clock.monotonicMs();
  };

  /** @throws the error, unless the file only lost its name: then all it holds goes to the next one. */
  const recover = async (error: unknown): Promise<void> => {
    try {
      if (!(error instanceof SegmentGone) || current === undefined) throw error;
      homeless = { segment: number, bytes: await current.rescue() };
      await abandon();
      await begin();
    } catch (final) {
      await abandon();
      throw final;
    }
  };

  const end = async (): Promise<void> => {
    const ended = current;
    current = undefined;
    bytesWritten = 0;
    number += 1;
    await ended?.close();
  };

  /**
   * Closes the suspect. One that never held anything gives its number back, so that a full disk does not pile up empty
   * files. A number that had a line is never used again: the sequencer remembers how far it has read it.
   */
  const abandon = async (): Promise<void> => {
    const wasUsed = bytesWritten > 0;
    const path = segmentPath(options.directory, options.writer, number);
    await end().catch(() => undefined);
    const isEmpty = await stat(path).then(
      (found) => found.size === 0,
      () => false,
    );
    if (wasUsed || !isEmpty) return;
    const isGone = await rm(path).then(
      () => true,
      () => false,
    );
    if (isGone) number -= 1;
  };

  return {
    get number() {
      return number;
    },
    async append(bytes) {
      try {
        const segment = current ?? (await begin());
        await segment.append(bytes);
        bytesWritten += bytes.length;
        if (parts.clock.monotonicMs() - checkedAtMs >= CHECK_MS) await check(segment);
      } catch (error) {
        await recover(error);
      }
      // Its records are durable: a failing close cannot take them back.
      if (bytesWritten >= options.segmentBytesMax) await end().catch(() => undefined);
    },
    async look() {
      if (current === undefined && homeless === undefined) return;
      try {
        await check(current ?? (await begin()));
      } catch (error) {
        await recover(error);
      }
    },
    close: end,
  };
}
