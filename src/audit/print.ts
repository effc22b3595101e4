import { printJson } from './line.ts';
import type { AccessRecord } from './record.ts';

/**
 * One record as one line for a terminal. Whatever a caller put into a name or a header is printed as text: escape
 * sequences, bidi marks, line separators and everything else beyond printable ASCII come out as `\uXXXX`.
 */
export function safePrint(record: AccessRecord): string {
  const { principal, client, repository, reference, digest } = record;
  const parts = [
    record.time,
    record.outcome,
    record.status === 0 ? undefined : String(record.status),
    record.action,
    named('by', principal === undefined ? undefined : `${principal.name} (${principal.via})`),
    named('on', repository === undefined ? undefined : `${repository}${printTarget(reference, digest)}`),
    named('from', client?.address),
    named('because', record.reason ?? record.because),
    record.count === undefined ? undefined : `${record.count} times`,
    record.note === undefined ? undefined : `(${record.note})`,
    `[${record.id}]`,
  ];
  return parts
    .filter((part) => part !== undefined)
    .map(safeText)
    .join(' ');
}

/** Text as printable ASCII: a terminal does nothing with it but show it. */
export function safeText(text: string): string {
  return printJson(text).slice(1, -1).replaceAll('\\"', '"').replaceAll('\\\\', '\\');
}

function named(word: string, value: string | undefined): string | undefined {
  return value === undefined ? undefined : `${word} ${value}`;
}

function printTarget(reference: string | undefined, digest: string | undefined): string {
  if (reference === undefined) return digest === undefined ? '' : `@${digest}`;
  return `${reference.includes(':') ? '@' : ':'}${reference}`;
}
