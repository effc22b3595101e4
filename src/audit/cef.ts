import { isIPv4 } from 'node:net';
import { safeText } from './print.ts';
import type { AccessRecord } from './record.ts';

/**
 * One record as one line of ArcSight's Common Event Format, without a syslog header. The custom strings have their
 * labels beside them. Everything is printable ASCII: no value can begin a second line or a second event.
 */
export function toCef(record: AccessRecord): string {
  const { v, action, outcome, kind } = record;
  const head = [
    'dockgate',
    'dockgate',
    String(v),
    action,
    `${action} ${outcome}`,
    String(severityOf(record)),
  ];
  const extension = [...standardKeys(record), ...customKeys(record), ['cat', kind] as const]
    .filter((pair): pair is readonly [string, string | number] => pair[1] !== undefined)
    .map(([key, value]) => `${key}=${escapeValue(String(value))}`);
  return `CEF:0|${head.map(escapeHead).join('|')}|${extension.join(' ')}`;
}

type Key = readonly [string, string | number | undefined];

/** 0 to 10. */
function severityOf({ outcome, reason }: AccessRecord): number {
  if (outcome === 'allowed') return 1;
  return reason?.startsWith('policy.') ? 6 : 4;
}

function standardKeys(record: AccessRecord): readonly Key[] {
  const { principal, client, outcome } = record;
  const isV4 = client !== undefined && isIPv4(client.address);
  return [
    ['rt', Date.parse(record.time)],
    ['externalId', record.id],
    ['act', record.action],
    ['outcome', outcome === 'allowed' ? 'success' : 'failure'],
    ['reason', record.reason],
    ['dvchost', record.node],
    ['deviceProcessName', record.writer],
    ['suser', principal?.name],
    ['suid', principal?.id === '' ? undefined : principal?.id],
    ['spriv', principal?.kind],
    ['src', isV4 ? client?.address : undefined],
    ['c6a2', isV4 ? undefined : client?.address],
    ['c6a2Label', client === undefined || isV4 ? undefined : 'Source IPv6 Address'],
    ['requestMethod', record.method],
    ['requestClientApplication', client?.userAgent],
    ['fileHash', record.digest],
    ['out', record.bytes],
    ['cnt', record.count],
    ['msg', record.note],
  ];
}

function customKeys(record: AccessRecord): readonly Key[] {
  const rules = record.verdict?.reasons.map(({ policy, rule }) => `${policy}/${rule}`).join(' ');
  return [
    ...labelled('cs1', 'repository', record.repository),
    ...labelled('cs2', 'reference', record.reference),
    ...labelled('cs3', 'because', record.because),
    ...labelled('cs4', 'rules', rules === '' ? undefined : rules),
    ...labelled('cs5', 'requestId', record.requestId),
    ...labelled('cs6', 'via', record.principal?.via),
    ...labelled('cn1', 'status', record.status === 0 ? undefined : record.status),
    ...labelled('cn2', 'durationMs', record.durationMs),
    ...labelled('cn3', 'seq', record.seq),
  ];
}

function labelled(key: string, label: string, value: string | number | undefined): readonly Key[] {
  return value === undefined
    ? []
    : [
        [`${key}Label`, label],
        [key, value],
      ];
}

function escapeHead(text: string): string {
  return safeText(text).replace(/[\\|]/g, '\\$&');
}

function escapeValue(text: string): string {
  return safeText(text).replace(/[\\=]/g, '\\$&');
}
