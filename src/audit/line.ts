import { isAscii } from 'node:buffer';
import { FIELD_LIMITS, type FieldLimits, limitField, limitText, moreMark } from './fields.ts';
import type { AccessRecord, AuditEntry } from './record.ts';
import { isAccessRecord } from './shape.ts';
import { printShort } from './short-line.ts';

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
  const short = printShort(entry, stamp, LINE_FIELDS);
  if (short !== undefined) return { record: short.record, text: escapeAll(short.json) };
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
  'isTransfer',
  'change',
  'bytes',
  'durationMs',
  'isAborted',
  'count',
  'note',
] as const satisfies readonly (keyof AuditEntry)[];

/** The allow list one level down. What is in `change.before` and `change.after` is administration's to say. */
const PRINCIPAL_FIELDS = ['kind', 'id', 'name', 'via', 'tokenId'];
const CLIENT_FIELDS = ['address', 'userAgent'];
const NESTED_FIELDS: Readonly<Record<string, readonly string[]>> = {
  principal: PRINCIPAL_FIELDS,
  client: CLIENT_FIELDS,
  change: ['before', 'after'],
};
const LINE_FIELDS = { entry: ENTRY_FIELDS, principal: PRINCIPAL_FIELDS, client: CLIENT_FIELDS };

function limitRecord(entry: AuditEntry, stamp: Stamp, limits: FieldLimits): AccessRecord {
  const kept = ENTRY_FIELDS.map((field): [string, unknown] => [field, limitEntryField(field, entry, limits)]);
  const { id, time, node, writer, seq } = stamp;
  const record: unknown = {
    v: 1,
    ...{ id, time, node, writer, seq },
    ...Object.fromEntries(kept.filter(([, value]) => value !== undefined)),
  };
  if (!isAccessRecord(record)) throw new TypeError('an access record must have the fields of its type');
  return record;
}

function limitEntryField(field: keyof AuditEntry, entry: AuditEntry, limits: FieldLimits): unknown {
  const value = entry[field];
  const nested = NESTED_FIELDS[field];
  if (field === 'verdict' && entry.verdict !== undefined) return limitVerdict(entry.verdict, limits);
  if (nested === undefined || typeof value !== 'object') return limitField(value, limits);
  const known = new Map<string, unknown>(Object.entries(value));
  return Object.fromEntries(
    nested.filter((key) => known.has(key)).map((key) => [key, limitField(known.get(key), limits)]),
  );
}

/** Reasons that are too many leave one in their place that says so, so that each entry is still a reason. */
function limitVerdict(verdict: NonNullable<AuditEntry['verdict']>, limits: FieldLimits): unknown {
  const { charactersMax, entriesMax } = limits;
  const kept = verdict.reasons.slice(0, entriesMax).map(({ policy, rule, findings }) => ({
    policy: limitText(policy, charactersMax),
    rule: limitText(rule, charactersMax),
    findings: limitField(findings, limits),
  }));
  const more = verdict.reasons.slice(entriesMax);
  const mark =
    more.length > 0 ? [{ policy: '[cut]', rule: moreMark(more.length, verdict.reasons), findings: [] }] : [];
  return { outcome: limitText(verdict.outcome, charactersMax), reasons: [...kept, ...mark] };
}

/**
 * JSON in printable ASCII: control characters, C1, bidi marks, line separators and lone surrogates are `\uXXXX`,
 * so a line is safe to print, one line for every tool, and its bytes are its only reading (threats ).
 */
export function printJson(value: unknown): string {
  return escapeAll(JSON.stringify(value));
}

const NOT_PRINTABLE = /[^\x20-\x7e]/;

function escapeAll(json: string): string {
  if (!NOT_PRINTABLE.test(json)) return json;
  return json.replace(
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
  return isAccessRecord(value) && isCanonical(value, text, line) ? value : undefined;
}

/** Whether `text` is what `printJson` prints. Most lines need no escape, and then JSON's own text is compared. */
function isCanonical(value: AccessRecord, text: string, line: Uint8Array): boolean {
  return (
    (JSON.stringify(value) === text && isAscii(line) && !line.includes(DELETE)) || printJson(value) === text
  );
}

/** The one ASCII character that JSON leaves as it is and that is not printable. */
const DELETE = 0x7f;
