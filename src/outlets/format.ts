import { toCef, toOcsf } from '../audit/index.ts';
import type { OutletRecord } from './ports.ts';

/** `json`: the record as it is in the log. */
export type OutletFormat = 'json' | 'cef' | 'ocsf';

/** One line of printable ASCII, whatever a caller put into the record: it begins no second line and no second event. */
export function printRecord({ line, record }: OutletRecord, format: OutletFormat): string {
  switch (format) {
    case 'json':
      return line.toString('latin1');
    case 'cef':
      return toCef(record);
    case 'ocsf':
      return printAscii(toOcsf(record));
  }
}

function printAscii(value: unknown): string {
  return JSON.stringify(value).replace(
    /[^\x20-\x7e]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
