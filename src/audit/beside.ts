import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Checkpoint } from './checkpoint.ts';
import type { Damage } from './damage.ts';
import { readHolds } from './holds.ts';
import { KEY_FILE, POSITIONS_FILE, readLogFile } from './log-files.ts';
import { HASH_BYTES } from './merkle.ts';
import { parseVerifierKey, type Verifier } from './note.ts';
import { openPositions } from './positions.ts';
import { openPruned, PRUNED_FILE } from './pruned.ts';
import { findBrokenRotation, followKeys, type KeyChain } from './rotation.ts';
import { decodeBundle, readTile, type TileLevel, tilePath } from './tiles.ts';
import { isTransfersNote, TRANSFERS_FILE } from './transfers.ts';
import { edgeOf, TILE_WIDTH } from './tree.ts';

interface BesideQuery {
  /** The audit directory. */
  readonly directory: string;
  /** `log/` in it. */
  readonly log: string;
  readonly checkpoint: Checkpoint;
  readonly keys: KeyChain;
}

/**
 * Looks at what lies beside sound records: the key that is shown to readers, the signed notes, the tiles of older
 * checkpoints that readers may still ask for, and the holds. None of it can change a record; each of it can mislead.
 */
export async function checkBeside(query: BesideQuery): Promise<Damage | undefined> {
  return (
    (await checkKeyFile(query)) ??
    (await checkRotations(query)) ??
    (await checkNotes(query)) ??
    (await checkPartials(query)) ??
    (await checkHolds(query))
  );
}

/** The key file leads to the key that signs now; the same where the server exchanges its key in this moment. */
async function checkKeyFile({ log, keys }: BesideQuery): Promise<Damage | undefined> {
  const text = (await readLogFile(log, KEY_FILE)) ?? '';
  const shown = parseVerifierKey(text);
  if (shown !== undefined && text === `${shown.text}\n`) {
    const [leadsTo, signs] = [await followKeys(log, shown), await followKeys(log, keys.newest)];
    if (leadsTo.newest.text === signs.newest.text) return undefined;
  }
  return noteDamage(KEY_FILE, 'is missing or does not lead to the key that signs');
}

async function checkRotations({ log, keys }: BesideQuery): Promise<Damage | undefined> {
  const broken = await findBrokenRotation(log, keys.newest);
  return broken === undefined
    ? undefined
    : noteDamage(broken, 'is not the exchange of a key that leads to the one that signs');
}

/** Which notes there must be, and what opens them. */
const NOTES: readonly {
  readonly file: string;
  readonly isNeeded: boolean;
  readonly opens: (note: string, key: Verifier) => boolean;
}[] = [
  {
    file: POSITIONS_FILE,
    isNeeded: true,
    opens: (note, key) => openPositions(note, key) !== undefined,
  },
  { file: TRANSFERS_FILE, isNeeded: true, opens: isTransfersNote },
  { file: PRUNED_FILE, isNeeded: false, opens: (note, key) => openPruned(note, key) !== undefined },
];

async function checkNotes({ log, keys }: BesideQuery): Promise<Damage | undefined> {
  // Followed once more: a live server may have exchanged its key meanwhile.
  const all = [...keys.all, ...(await followKeys(log, keys.newest)).all];
  for (const { file, isNeeded, opens } of NOTES) {
    const note = await readLogFile(log, file);
    if (note === undefined && isNeeded) return noteDamage(file, 'is missing');
    if (note !== undefined && !all.some((key) => opens(note, key))) {
      return noteDamage(file, 'is not one that the log signed');
    }
  }
  return undefined;
}

/** Tiles of checkpoints within the last full one: each is the beginning of the tile that follows it. */
async function checkPartials({ log, checkpoint: { size } }: BesideQuery): Promise<Damage | undefined> {
  for (const [level, { index, width }] of edgeOf(size).entries()) {
    for (const each of level === 0 ? (['entries', 0] as const) : [level]) {
      const bad = await findBadPartial(log, { level: each, index, width });
      if (bad === undefined) continue;
      const message = `${bad} is not the beginning of the tile that followed it`;
      return { kind: 'tile', message, index: index * TILE_WIDTH ** (level + 1) };
    }
  }
  return undefined;
}

async function findBadPartial(
  log: string,
  tile: { readonly level: TileLevel; readonly index: number; readonly width: number },
): Promise<string | undefined> {
  const { level, index, width } = tile;
  const newest = await readTile(log, tile);
  const names = width === 0 ? [] : await readdir(`${join(log, tilePath(level, index))}.p`).catch(() => []);
  for (const name of names) {
    const older = Number(name);
    // What lies beyond the checkpoint is of a step that has not ended.
    if (!(older > 0 && older < width)) continue;
    const file = tilePath(level, index, older);
    const bytes = await readFile(join(log, file)).catch(() => undefined);
    if (bytes === undefined || newest?.subarray(0, bytes.length).equals(bytes) !== true) return file;
    const count = level === 'entries' ? decodeBundle(bytes).lines.length : bytes.length / HASH_BYTES;
    if (count !== older) return file;
  }
  return undefined;
}

async function checkHolds({ directory }: BesideQuery): Promise<Damage | undefined> {
  try {
    await readHolds(directory);
    return undefined;
  } catch (error) {
    const message = error instanceof Error ? error.message : 'the holds cannot be read';
    return { kind: 'note', message };
  }
}

function noteDamage(file: string, what: string): Damage {
  return { kind: 'note', message: `log/${file} ${what}` };
}
