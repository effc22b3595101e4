import { FIELD_LIMITS, mayHoldSecret } from './fields.ts';
import type { AccessRecord, AuditEntry } from './record.ts';
import { isAccessRecord } from './shape.ts';

/** What of a record may be in a line, in the order of the line. */
export interface LineFields {
  readonly entry: readonly (keyof AuditEntry)[];
  readonly principal: readonly string[];
  readonly client: readonly string[];
}

/**
 * Nearly all records are so short that nothing in them can be too long. Whether one of them holds what looks like a
 * credential is then asked once, of its whole text, and not of each field.
 *
 * @returns the record and its JSON; `undefined` where a closer look is needed: something may have to be cut or hidden.
 */
export function printShort(
  entry: AuditEntry,
  stamp: Pick<AccessRecord, 'id' | 'time' | 'node' | 'writer' | 'seq'>,
  fields: LineFields,
): { readonly record: AccessRecord; readonly json: string } | undefined {
  // What administration changed may be nested as deep as it likes.
  if (entry.change !== undefined || !hasFewReasons(entry.verdict)) return undefined;
  const { id, time, node, writer, seq } = stamp;
  const record: Record<string, unknown> = { v: 1, id, time, node, writer, seq };
  for (const field of fields.entry) {
    const value = entry[field];
    if (value !== undefined) record[field] = value;
  }
  if (entry.principal) record.principal = pick(entry.principal, fields.principal);
  if (entry.client) record.client = pick(entry.client, fields.client);
  if (entry.verdict) record.verdict = copyVerdict(entry.verdict);
  if (!isAccessRecord(record)) return undefined;
  const json = JSON.stringify(record);
  return json.length > CHARACTERS_MAX || mayHoldSecret(json) ? undefined : { record, json };
}

const CHARACTERS_MAX = FIELD_LIMITS[0]?.charactersMax ?? 0;
const ENTRIES_MAX = FIELD_LIMITS[0]?.entriesMax ?? 0;

function hasFewReasons(verdict: AuditEntry['verdict']): boolean {
  if (verdict === undefined) return true;
  const { reasons } = verdict;
  return reasons.length <= ENTRIES_MAX && reasons.every(({ findings }) => findings.length <= ENTRIES_MAX);
}

function pick(value: object, keys: readonly string[]): unknown {
  const given: { readonly [key: string]: unknown } = { ...value };
  const picked: Record<string, unknown> = {};
  for (const key of keys) if (given[key] !== undefined) picked[key] = given[key];
  return picked;
}

function copyVerdict({ outcome, reasons }: NonNullable<AuditEntry['verdict']>): unknown {
  return { outcome, reasons: reasons.map(({ policy, rule, findings }) => ({ policy, rule, findings })) };
}
