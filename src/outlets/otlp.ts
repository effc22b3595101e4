import type { AccessRecord } from '../audit/index.ts';
import { createPoster, type PostTarget } from './http-post.ts';
import type { OutletRecord, Receiver, Rejected } from './ports.ts';

/** Severity numbers of the OpenTelemetry log data model. */
const INFO = 9;
const WARN = 13;

/** OpenTelemetry logs over OTLP/HTTP with JSON. @see opentelemetry.io/docs/specs/otlp, "OTLP/HTTP" */
export function createOtlpReceiver(options: PostTarget): Receiver {
  const poster = createPoster(options);
  return {
    isConfirmed: true,
    async send(records, signal) {
      const body = JSON.stringify(toLogsRequest(records));
      return readAnswer(await poster.post(body, { 'content-type': 'application/json' }, signal));
    },
    close: () => poster.close(),
  };
}

/** The body of one ExportLogsServiceRequest. */
export function toLogsRequest(records: readonly OutletRecord[]): object {
  const node = records[0]?.record.node ?? '';
  return {
    resourceLogs: [
      {
        resource: {
          attributes: [attribute('service.name', 'dockgate'), attribute('service.instance.id', node)],
        },
        scopeLogs: [
          { scope: { name: 'dockgate.audit', version: '1' }, logRecords: records.map(toLogRecord) },
        ],
      },
    ],
  };
}

function toLogRecord({ line, record, index }: OutletRecord): object {
  const timeUnixNano = nanosOf(record.time);
  const isAllowed = record.outcome === 'allowed';
  return {
    timeUnixNano,
    observedTimeUnixNano: timeUnixNano,
    severityNumber: isAllowed ? INFO : WARN,
    severityText: isAllowed ? 'INFO' : 'WARN',
    body: { stringValue: line.toString('latin1') },
    attributes: attributesOf(record, index),
  };
}

/** Names of the OpenTelemetry semantic conventions where those have one. */
function attributesOf(record: AccessRecord, index: number): readonly object[] {
  const { principal, client, status } = record;
  const named: Readonly<Record<string, string | number | undefined>> = {
    'log.record.uid': record.id,
    'event.name': record.action,
    'user.name': principal?.name,
    'user.id': principal?.id,
    'client.address': client?.address,
    'user_agent.original': client?.userAgent,
    'http.request.method': record.method,
    'http.response.status_code': status === 0 ? undefined : status,
    'dockgate.index': index,
    'dockgate.outcome': record.outcome,
    'dockgate.reason': record.reason,
    'dockgate.repository': record.repository,
    'dockgate.reference': record.reference,
    'dockgate.digest': record.digest,
  };
  return Object.entries(named).flatMap(([key, value]) =>
    value === undefined ? [] : [attribute(key, value)],
  );
}

/**
 * 64-bit integers are text in the JSON of protobuf, and half a surrogate pair is none: one would make a receiver refuse
 * the whole batch, again and again. The body has the record's line, in which it is escaped.
 */
function attribute(key: string, value: string | number): object {
  if (typeof value === 'number') return { key, value: { intValue: String(value) } };
  return { key, value: { stringValue: value.toWellFormed() } };
}

/** `2026-11-24T11:35:19.123456Z` as nanoseconds since 1970, exactly. */
function nanosOf(time: string): string {
  const seconds = Math.floor(Date.parse(time) / 1000);
  return `${seconds}${time.slice(20, 26)}000`;
}

/** What a receiver refused in part must not be sent again (OTLP, "Partial Success"). */
function readAnswer(text: string): Rejected | undefined {
  const partial = memberOf(parse(text), 'partialSuccess');
  const count = Number(memberOf(partial, 'rejectedLogRecords') ?? 0);
  return count > 0 ? { count, reason: String(memberOf(partial, 'errorMessage') ?? '') } : undefined;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // An empty body is a full success, too.
    return undefined;
  }
}

function memberOf(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
}
