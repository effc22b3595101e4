import { type OutletFormat, printRecord } from './format.ts';
import type { OutletRecord } from './ports.ts';

/** Facility 13, "log audit". */
const AUDIT = 13;
const INFORMATIONAL = 6;
const WARNING = 4;
const MESSAGE_ID_MAX = 32;
/** The enterprise number that RFC 5612 keeps for examples; dockgate has none of its own. */
const STRUCTURED = 'dockgate@32473';

/**
 * One record as a message of RFC 5424, printable ASCII: severity 6 for what was allowed, 4 for what was refused; the
 * record's own time; host, process and message id are node, writer and action.
 */
export function printSyslog(record: OutletRecord, format: OutletFormat): string {
  const { time, node, writer, action, outcome, id } = record.record;
  const priority = AUDIT * 8 + (outcome === 'allowed' ? INFORMATIONAL : WARNING);
  const structured = `[${STRUCTURED} id="${escapeParameter(id)}" index="${record.index}"]`;
  const head = `<${priority}>1 ${time} ${node} dockgate ${writer} ${messageId(action)}`;
  return `${head} ${structured} ${printRecord(record, format)}`;
}

/** Printable ASCII without spaces, or `-` for nothing (RFC 5424, 6.2.7). */
function messageId(action: string): string {
  const plain = action.replace(/[^\x21-\x7e]/g, '_').slice(0, MESSAGE_ID_MAX);
  return plain === '' ? '-' : plain;
}

/** RFC 5424, 6.3.3; an id is plain, but what is written is what the rule says. */
function escapeParameter(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '_').replace(/["\\\]]/g, '\\$&');
}
