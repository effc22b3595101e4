import { constants, statfsSync, statSync, truncateSync } from 'node:fs';
import { open, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, isErrorWithCode, type Logger, MiB } from '../base/index.ts';

/** What administrators get at once; also how little room there must be before they get it. */
const STEP_BYTES = MiB;
/** How often, in milliseconds, a writer looks whether the reserve is whole. */
const LOOK_MS = 100;
/** Written in pieces of so many bytes. */
const PIECE_BYTES = 256 * 1024;

export interface ReserveOptions {
  /** The audit directory. */
  readonly directory: string;
  /** 0: there is none. */
  readonly bytes: number;
}

/**
 * A file of zeros that holds room for administrators: on a full disk it is cut shorter, step by step, so that they can
 * sign in and free space (threat A-12). While it is short nobody else's decisions are recorded, so nobody else is
 * served, and what was set free for administrators is not used up by pulls.
 */
export interface Reserve {
  /** Whether the reserve was drawn on and is not whole again. */
  isDrawnOn(): boolean;
  /** Sets room free where there is hardly any left. @throws whatever the system says of the file. */
  makeRoom(): void;
}

function reservePath(directory: string): string {
  return join(directory, 'reserve');
}

/** What each writer of a node holds of the reserve. */
export function createReserve({ directory, bytes }: ReserveOptions, clock: Clock): Reserve {
  const path = reservePath(directory);
  let isShort = false;
  let lookedAtMs = Number.NEGATIVE_INFINITY;
  return {
    isDrawnOn() {
      if (bytes === 0) return false;
      if (clock.monotonicMs() - lookedAtMs >= LOOK_MS) {
        lookedAtMs = clock.monotonicMs();
        const size = sizeOf(path);
        // Where there never was room for it, there is none, and nothing is kept back for anybody.
        isShort = size !== undefined && size < bytes;
      }
      return isShort;
    },
    makeRoom() {
      const size = bytes === 0 ? undefined : sizeOf(path);
      if (size === undefined || size === 0) return;
      const { bavail, bsize } = statfsSync(directory);
      if (bavail * bsize >= STEP_BYTES) return;
      truncateSync(path, Math.max(0, size - STEP_BYTES));
      lookedAtMs = Number.NEGATIVE_INFINITY;
    },
  };
}

function sizeOf(path: string): number | undefined {
  try {
    return statSync(path).size;
  } catch (error) {
    if (isErrorWithCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/**
 * Makes the reserve whole, when there is room for it and as much again; the one process that does so is the
 * housekeeping process.
 *
 * @returns whether it is whole.
 */
export async function fillReserve(
  { directory, bytes }: ReserveOptions,
  { logger }: { readonly logger: Logger },
): Promise<boolean> {
  const path = reservePath(directory);
  const size = sizeOf(path) ?? 0;
  if (size >= bytes) return true;
  const { bavail, bsize } = await statfs(directory);
  if (bavail * bsize < bytes - size + bytes) return false;
  const handle = await open(path, constants.O_WRONLY | constants.O_CREAT, 0o600);
  try {
    await handle.chmod(0o600);
    const piece = Buffer.alloc(PIECE_BYTES);
    // Its size says that it is whole: the last byte is written when the room for all others is there.
    for (let at = size; at < bytes; at += piece.length) {
      await handle.write(piece, 0, Math.min(piece.length, bytes - at), at);
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  logger.info('the room that is kept for administrators is there', { bytes });
  return true;
}
