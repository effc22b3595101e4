import { toCef } from './cef.ts';
import { csvHead, toCsv, toFlat } from './csv.ts';
import { printJson } from './line.ts';
import { toOcsf } from './ocsf.ts';
import { openProver, type Prover } from './prove.ts';
import { type RecordEntry, type RecordsOptions, readRecords } from './records.ts';

/** `jsonl`: the records as they are; `ndjson`: flat columns for Parquet tools; `csv` for spreadsheets; `cef` and `ocsf` for security event systems. */
export type ExportFormat = 'jsonl' | 'ndjson' | 'csv' | 'cef' | 'ocsf';

export const EXPORT_FORMATS: readonly ExportFormat[] = ['jsonl', 'ndjson', 'csv', 'cef', 'ocsf'];

export interface ExportOptions extends RecordsOptions {
  readonly format: ExportFormat;
  /** Each line of `jsonl` and `ndjson` gets its C2SP tlog-proof, checkable for itself. */
  readonly withProofs?: boolean;
}

/**
 * The records that were asked for, as text in whole lines, a bundle at most at a time. Proofs are checked as they are
 * made.
 *
 * @throws {NoProof} as `readRecords`, or a proof leads elsewhere than to the checkpoint.
 */
export async function* exportRecords(options: ExportOptions): AsyncGenerator<string> {
  const { format } = options;
  const prover =
    options.withProofs && (format === 'jsonl' || format === 'ndjson') ? await openProver(options) : undefined;
  if (format === 'csv') yield `${csvHead()}\r\n`;
  for await (const entries of readRecords(options)) {
    const lines: string[] = [];
    for (const entry of entries) lines.push(await print(format, entry, prover));
    yield lines.join('');
  }
}

async function print(format: ExportFormat, entry: RecordEntry, prover: Prover | undefined): Promise<string> {
  const { index, line, record } = entry;
  switch (format) {
    case 'jsonl': {
      const proof = prover && `,"proof":${printJson(await prover.proveLine(index, line))}`;
      // The record is printed as the line it is, so that its bytes stay those that were hashed.
      return `{"index":${index},"record":${line.toString('latin1')}${proof ?? ''}}\n`;
    }
    case 'ndjson': {
      const proof = prover && (await prover.proveLine(index, line));
      return `${printJson({ ...toFlat(index, record), ...(proof === undefined ? {} : { proof }) })}\n`;
    }
    case 'csv':
      return `${toCsv(index, record)}\r\n`;
    case 'cef':
      return `${toCef(record)}\n`;
    case 'ocsf':
      return `${printJson(toOcsf(record))}\n`;
  }
}
