import { FIELD_LIMITS, type FieldLimits, limitField } from './fields.ts';
import type { AccessRecord, AuditEntry } from './record.ts';
import { isAccessRecord } from './shape.ts';

/** Longest line in bytes, without its newline. */
export const LINE_BYTES_MAX = 16 * 1024;

/** What the writer adds to an entry. */
export interface Stamp {
  readonly id: string;
  readonly time: string;
  readonly node: string;
  readonly writer: string;
  readonly seq: number;
}

export interface Line {
  /** As it was written: fields that were too long are cut. */
  readonly record: AccessRecord;
  /** Printable ASCII without the newline: these bytes are the leaf of the Merkle log. */
  readonly text: string;
}

/** Prints one record as one line, cutting fields until it is at most LINE_BYTES_MAX bytes long. */
export function encodeLine(entry: AuditEntry, stamp: Stamp): Line {
  for (const limits of FIELD_LIMITS) {
    const record = limitRecord(entry, stamp, limits);
    const text = printJson(record);
    if (text.length <= LINE_BYTES_MAX) return { record, text };
  }
  // The last limits leave about 12 KiB at most even when every character becomes six.
  throw new Error('an access record did not fit into a line');
}

/** The allow list of the record: what is not named here is not written. The order is the order in the line. */
const ENTRY_FIELDS = [
  'kind',
  'requestId',
  'action',
  'outcome',
  'status',
  'reason',
  'principal',
  'client',
  'method',
  'repository',
  'reference',
  'digest',
  'because',
  'verdict',
  'change',
  'bytes',
  'durationMs',
  'isAborted',
  'count',
  'note',
] as const satisfies readonly (keyof AuditEntry)[];

/** The allow list one level down. `change` is free: administration says what it changed. */
const NESTED_FIELDS: Readonly<Record<string, readonly string[]>> = {
  principal: ['kind', 'id', 'name', 'via', 'tokenId'],
  client: ['address', 'userAgent'],
  verdict: ['outcome', 'reasons'],
  change: ['before', 'after'],
};

function limitRecord(entry: AuditEntry, stamp: Stamp, limits: FieldLimits): AccessRecord {
  const kept: [string, unknown][] = [];
  for (const field of ENTRY_FIELDS) {
    const value = limitField(pick(entry[field], NESTED_FIELDS[field]), limits);
    if (value !== undefined) kept.push([field, value]);
  }
  const { id, time, node, writer, seq } = stamp;
  const record: unknown = { v: 1, id, time, node, writer, seq, ...Object.fromEntries(kept) };
  // Not a check of outside input: a caller that breaks the type is a bug, and a record nobody can read is worse.
  if (!isAccessRecord(record)) throw new TypeError('an access record must have the fields of its type');
  return record;
}

function pick(value: unknown, fields: readonly string[] | undefined): unknown {
  if (fields === undefined || typeof value !== 'object' || value === null) return value;
  const known = new Map(Object.entries(value));
  return Object.fromEntries(
    fields.filter((field) => known.has(field)).map((field) => [field, known.get(field)]),
  );
}

/**
 * JSON in printable ASCII: control characters, C1, bidi marks, line separators and lone surrogates are `\uXXXX`,
 * so a line is safe to print, one line for every tool, and its bytes are its only reading (threats ).
 */
export function printJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[^\x20-\x7e]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/**
 * Reads one line. `undefined` unless it is exactly what `encodeLine` could have printed: printable ASCII, at most
 * LINE_BYTES_MAX, a record of version 1, and in canonical form (printing it again gives the same bytes), so a key
 * given twice or a second spelling of a value is not a record.
 */
export function parseLine(line: Uint8Array): AccessRecord | undefined {
  if (line.length === 0 || line.length > LINE_BYTES_MAX) return undefined;
  const text = Buffer.from(line.buffer, line.byteOffset, line.length).toString('latin1');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Not JSON: a torn or foreign line, which is the answer and not a failure.
    return undefined;
  }
  return isAccessRecord(value) && printJson(value) === text ? value : undefined;
}
