import { toCef } from './cef.ts';
import { type Checkpoint, openCheckpoint } from './checkpoint.ts';
import { csvHead, toCsv } from './csv.ts';
import { matches, type RecordFilter } from './filter.ts';
import { parseLine, printJson } from './line.ts';
import { CHECKPOINT_FILE, logDirectory, readBundle, readLogFile } from './log-files.ts';
import { parseVerifierKey } from './note.ts';
import { toOcsf } from './ocsf.ts';
import { damageIsNoProof, NoProof, openProver, type Prover } from './prove.ts';
import type { AccessRecord } from './record.ts';
import { TILE_WIDTH } from './tree.ts';

/** `jsonl`: the records as they are; `csv` for spreadsheets; `cef` and `ocsf` for security event systems. */
export type ExportFormat = 'jsonl' | 'csv' | 'cef' | 'ocsf';

export const EXPORT_FORMATS: readonly ExportFormat[] = ['jsonl', 'csv', 'cef', 'ocsf'];

export interface ExportOptions {
  /** An audit directory, or a copy of one. */
  readonly directory: string;
  readonly publicKey: string;
  readonly format: ExportFormat;
  readonly filter: RecordFilter;
  /** Each line of `jsonl` gets its C2SP tlog-proof, checkable for itself. */
  readonly withProofs?: boolean;
  /** Called after every 256 entries. `unreadable`: entries that are no record; `verify` says what they are. */
  readonly onProgress?: (progress: ExportProgress) => void;
}

export interface ExportProgress {
  readonly done: number;
  readonly total: number;
  readonly exported: number;
  readonly unreadable: number;
}

/**
 * The records below the checkpoint, oldest first, as text in whole lines of at most a bundle: constant memory. Proofs
 * are checked as they are made; without them the log is taken as it is, and `verifyLog` is what checks it.
 *
 * @throws {NoProof} there is no checkpoint that this key signed, or the log is damaged where it is read.
 */
export async function* exportRecords(options: ExportOptions): AsyncGenerator<string> {
  const { directory, format, filter, onProgress } = options;
  const { size } = await openNewest(directory, options.publicKey);
  const prover = options.withProofs && format === 'jsonl' ? await openProver(options) : undefined;
  let [exported, unreadable] = [0, 0];
  if (format === 'csv') yield `${csvHead()}\r\n`;
  for (let first = 0; first < size; first += TILE_WIDTH) {
    const lines = await readLines(directory, first, Math.min(TILE_WIDTH, size - first));
    const printed: string[] = [];
    for (const [at, line] of lines.entries()) {
      const record = parseLine(line);
      if (record === undefined) unreadable += 1;
      else if (matches(record, filter))
        printed.push(await print(format, { index: first + at, line, record }, prover));
    }
    exported += printed.length;
    if (printed.length > 0) yield printed.join('');
    onProgress?.({ done: first + lines.length, total: size, exported, unreadable });
  }
}

function readLines(directory: string, first: number, width: number): Promise<readonly Buffer[]> {
  return damageIsNoProof(() => readBundle(logDirectory(directory), first / TILE_WIDTH, width));
}

async function openNewest(directory: string, publicKey: string): Promise<Checkpoint> {
  const verifier = parseVerifierKey(publicKey);
  if (!verifier) throw new NoProof('the public key is no Ed25519 key in the form name+id+base64');
  const note = await readLogFile(logDirectory(directory), CHECKPOINT_FILE);
  const checkpoint = note === undefined ? undefined : openCheckpoint(note, verifier);
  if (!checkpoint) {
    throw new NoProof(
      `${logDirectory(directory)} has no checkpoint that ${verifier.name} signed with this key`,
    );
  }
  return checkpoint;
}

interface Entry {
  readonly index: number;
  readonly line: Buffer;
  readonly record: AccessRecord;
}

async function print(format: ExportFormat, entry: Entry, prover: Prover | undefined): Promise<string> {
  const { index, line, record } = entry;
  switch (format) {
    case 'jsonl': {
      const proof = prover && `,"proof":${printJson(await prover.proveLine(index, line))}`;
      // The record is printed as the line it is, so that its bytes stay those that were hashed.
      return `{"index":${index},"record":${line.toString('latin1')}${proof ?? ''}}\n`;
    }
    case 'csv':
      return `${toCsv(index, record)}\r\n`;
    case 'cef':
      return `${toCef(record)}\n`;
    case 'ocsf':
      return `${printJson(toOcsf(record))}\n`;
  }
}
