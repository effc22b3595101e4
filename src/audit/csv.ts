import { safeText } from './print.ts';
import type { AccessRecord } from './record.ts';

/** Columns in their order, and what a record has for them. */
const COLUMNS: readonly (readonly [
  string,
  (record: AccessRecord) => string | number | boolean | undefined,
])[] = [
  ['time', (record) => record.time],
  ['kind', (record) => record.kind],
  ['action', (record) => record.action],
  ['outcome', (record) => record.outcome],
  ['status', (record) => record.status],
  ['reason', (record) => record.reason],
  ['principal', (record) => record.principal?.name],
  ['principalKind', (record) => record.principal?.kind],
  ['principalId', (record) => record.principal?.id],
  ['via', (record) => record.principal?.via],
  ['tokenId', (record) => record.principal?.tokenId],
  ['address', (record) => record.client?.address],
  ['userAgent', (record) => record.client?.userAgent],
  ['method', (record) => record.method],
  ['repository', (record) => record.repository],
  ['reference', (record) => record.reference],
  ['digest', (record) => record.digest],
  ['because', (record) => record.because],
  ['rules', (record) => record.verdict?.reasons.map(({ policy, rule }) => `${policy}/${rule}`).join(' ')],
  ['findings', (record) => record.verdict?.reasons.flatMap(({ findings }) => findings).join(' ')],
  ['bytes', (record) => record.bytes],
  ['durationMs', (record) => record.durationMs],
  ['isTransfer', (record) => record.isTransfer],
  ['isAborted', (record) => record.isAborted],
  ['count', (record) => record.count],
  ['note', (record) => record.note],
  ['requestId', (record) => record.requestId],
  ['id', (record) => record.id],
  ['node', (record) => record.node],
  ['writer', (record) => record.writer],
  ['seq', (record) => record.seq],
];

export function csvHead(): string {
  return ['index', ...COLUMNS.map(([name]) => name)].map(csvCell).join(',');
}

export function toCsv(index: number, record: AccessRecord): string {
  return [index, ...COLUMNS.map(([, read]) => read(record))].map(csvCell).join(',');
}

/** The same columns as one flat object, each always there and of one type; absent is null: what Parquet tools read. */
export function toFlat(index: number, record: AccessRecord): Readonly<Record<string, unknown>> {
  return Object.fromEntries([
    ['index', index],
    ...COLUMNS.map(([name, read]) => [name, read(record) ?? null]),
  ]);
}

/**
 * One cell (RFC 4180), always quoted and printable ASCII. Text that a spreadsheet would run as a formula gets an
 * apostrophe in front, which shows it as text (threat A-03, ASVS 1.2.10).
 */
export function csvCell(value: string | number | boolean | undefined): string {
  if (value === undefined) return '""';
  if (typeof value === 'number') return `"${value}"`;
  const plain = safeText(String(value));
  // A control character comes out as `\u0009`, so a formula behind one cannot begin the cell; a space can.
  const isFormula = /^\s*[=+\-@|%]/.test(plain);
  return `"${isFormula ? "'" : ''}${plain.replaceAll('"', '""')}"`;
}
