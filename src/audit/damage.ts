import { parseLine } from './line.ts';
import type { TreeHash } from './merkle.ts';

/** What can be wrong with a log. */
export type DamageKind =
  /** A record's bytes are not those that were signed. */
  | 'edited'
  /** A record that was signed is not there. */
  | 'removed'
  /** A record is there that was not signed. */
  | 'inserted'
  /** Two records stand in each other's place. */
  | 'swapped'
  /** Everything from a record on is missing although a checkpoint covers it. */
  | 'cut'
  /** Records and their tiles were changed together; no file is left that tells which record of a range it was. */
  | 'rewritten'
  /** The records are as signed, a hash tile is not. */
  | 'tile'
  /** A signed note beside the records, or a file of a hold, is missing or not as it was written. */
  | 'note'
  /** A writer's numbers have a hole: records were taken away, or lost before they were signed. */
  | 'hole'
  /** A writer's number comes twice or goes back. */
  | 'repeated'
  /** A line that was signed is no record, or another node's. */
  | 'unreadable'
  /** No checkpoint, or not one that this key signed for this log. */
  | 'checkpoint'
  /** The log is older than a checkpoint that is known, or has another history. */
  | 'older-copy';

/** One thing that is wrong, and the record it is wrong with as far as that can be told. */
export interface Damage {
  readonly kind: DamageKind;
  /** One sentence for the auditor. */
  readonly message: string;
  /** Leaf index of the first bad record. */
  readonly index?: number;
  readonly writer?: string;
  readonly seq?: number;
  readonly id?: string;
}

/** Names the record in a line, as far as it is one. */
export function identify(line: Uint8Array | undefined): Pick<Damage, 'writer' | 'seq' | 'id'> {
  const record = line === undefined ? undefined : parseLine(line);
  return record === undefined ? {} : { writer: record.writer, seq: record.seq, id: record.id };
}

/** One bundle whose lines do not hash to its tile. */
export interface BadBundle {
  /** Leaf index of its first entry. */
  readonly first: number;
  readonly lines: readonly Buffer[];
  /** Leaf hashes of the lines. */
  readonly found: readonly TreeHash[];
  /** The tile's hashes. */
  readonly expected: readonly TreeHash[];
  /** Each writer's number before this bundle. */
  readonly numbers: ReadonlyMap<string, number>;
  /** No bundle follows in the files. */
  readonly isEnd: boolean;
}

/** Says what was done to a bundle, from the first entry that is not what its tile says. */
export function diagnose(bundle: BadBundle): Damage {
  const { first, lines, found, expected } = bundle;
  const at = firstDifference(found, expected);
  const index = first + at;
  if (at >= found.length) return missingEnd(bundle, index);
  const follows = (by: { readonly found: number; readonly expected: number }): boolean => {
    const rest = found.slice(at + by.found);
    return rest.length > 0 && rest.every((hash, k) => expected[at + by.expected + k]?.equals(hash) ?? false);
  };
  if (at >= expected.length || follows({ found: 1, expected: 0 })) {
    return { kind: 'inserted', message: `record ${index} was inserted`, index, ...identify(lines[at]) };
  }
  if (follows({ found: 0, expected: 1 })) {
    return { kind: 'removed', message: `record ${index} was removed`, index, ...missingNumber(bundle, at) };
  }
  const other = found.findIndex((hash, k) => k > at && (expected[at]?.equals(hash) ?? false));
  if (other >= 0 && expected[other]?.equals(found[at] ?? Buffer.alloc(0))) {
    const message = `records ${index} and ${first + other} were swapped`;
    return { kind: 'swapped', message, index, ...identify(lines[at]) };
  }
  // A line that is no record any more has no number of its own: the others' numbers tell which it was.
  const named = identify(lines[at]);
  const who = named.writer === undefined ? missingNumber(bundle, at + 1) : named;
  return { kind: 'edited', message: `record ${index} was edited`, index, ...who };
}

function firstDifference(found: readonly TreeHash[], expected: readonly TreeHash[]): number {
  const at = found.findIndex((hash, k) => !(expected[k]?.equals(hash) ?? false));
  return at < 0 ? found.length : at;
}

function missingEnd(bundle: BadBundle, index: number): Damage {
  return bundle.isEnd
    ? { kind: 'cut', message: `all records from ${index} on are missing below the checkpoint`, index }
    : { kind: 'removed', message: `record ${index} was removed`, index };
}

/** Whose number is missing where a record was taken out or spoilt: that of the next line with a hole before it. */
function missingNumber(bundle: BadBundle, at: number): Pick<Damage, 'writer' | 'seq'> {
  const numbers = new Map(bundle.numbers);
  for (const [k, line] of bundle.lines.entries()) {
    const { writer, seq } = identify(line);
    if (writer === undefined || seq === undefined) continue;
    const next = (numbers.get(writer) ?? 0) + 1;
    if (k >= at && seq > next) return { writer, seq: next };
    numbers.set(writer, seq);
  }
  return {};
}
