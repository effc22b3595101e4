import type { AccessRecord } from './record.ts';

/** The version whose classes and attributes are used; schema.ocsf.io/1.3.0. */
const OCSF_VERSION = '1.3.0';

const BASE_EVENT = 0;
const AUTHENTICATION = 3002;
const API_ACTIVITY = 6003;
const OTHER = 99;

/** API Activity: what an HTTP method does. */
const ACTIVITIES: Readonly<Record<string, number>> = {
  POST: 1,
  GET: 2,
  HEAD: 2,
  PUT: 3,
  PATCH: 3,
  DELETE: 4,
};

/** User types of OCSF; a robot is an account of no person. */
const USER_TYPES: Readonly<Record<string, number>> = { user: 1, local: 3, robot: OTHER };

/**
 * One record as an event of OCSF: sign-ins and tokens are Authentication, what the house says about itself and
 * summaries are Base Events, all else is API Activity. What has no place there is in `unmapped`, under our names.
 */
export function toOcsf(record: AccessRecord): Readonly<Record<string, unknown>> {
  const classUid = classOf(record);
  const activityId = activityOf(record, classUid);
  const isAllowed = record.outcome === 'allowed';
  return withoutAbsent({
    ...{ class_uid: classUid, category_uid: Math.floor(classUid / 1000), activity_id: activityId },
    type_uid: classUid * 100 + activityId,
    activity_name: activityId === OTHER ? record.action : undefined,
    // The record has microseconds; OCSF's time is milliseconds, the whole is in metadata.original_time.
    time: Date.parse(record.time),
    ...{ duration: record.durationMs, count: record.count, message: messageOf(record) },
    severity_id: severityOf(record),
    status_id: isAllowed ? 1 : 2,
    status: isAllowed ? 'Success' : 'Failure',
    status_code: record.status === 0 ? undefined : String(record.status),
    status_detail: record.reason,
    metadata: {
      version: OCSF_VERSION,
      product: { name: 'dockgate', vendor_name: 'dockgate' },
      ...{ uid: record.id, correlation_uid: record.requestId, original_time: record.time },
      ...{
        log_name: 'access',
        log_provider: `${record.node}/${record.writer}`,
        log_version: String(record.v),
      },
      ...{ sequence: record.seq, event_code: record.action },
    },
    ...callOf(record, classUid),
    unmapped: unmappedOf(record),
  });
}

function classOf({ kind, action }: AccessRecord): number {
  if (kind === 'system' || kind === 'summary') return BASE_EVENT;
  return action === 'sign-in' || action === 'token' ? AUTHENTICATION : API_ACTIVITY;
}

function activityOf({ method }: AccessRecord, classUid: number): number {
  if (classUid === BASE_EVENT) return OTHER;
  if (classUid === AUTHENTICATION) return 1;
  return ACTIVITIES[method ?? ''] ?? OTHER;
}

/** Informational; Low for a refusal; Medium where a rule refused content, which is what a gateway is for. */
function severityOf({ outcome, reason }: AccessRecord): number {
  if (outcome === 'allowed') return 1;
  return reason?.startsWith('policy.') ? 3 : 2;
}

function messageOf({ action, outcome, repository, note }: AccessRecord): string {
  const where = repository === undefined ? '' : ` on ${repository}`;
  return `${action}${where} ${outcome}${note === undefined ? '' : `: ${note}`}`;
}

/** What the class demands of a call: who, from where, what. */
function callOf(record: AccessRecord, classUid: number): Readonly<Record<string, unknown>> {
  if (classUid === BASE_EVENT) return {};
  const { client, principal, method, status, bytes } = record;
  const user = userOf(principal);
  const common = {
    src_endpoint: client === undefined ? { name: 'local' } : { ip: client.address },
    http_request: withoutAbsent({
      http_method: method,
      user_agent: client?.userAgent,
      uid: record.requestId,
    }),
  };
  if (classUid === AUTHENTICATION) return { ...common, user, service: { name: 'dockgate' }, is_remote: true };
  return {
    ...common,
    actor: withoutAbsent({
      user,
      session: principal?.tokenId === undefined ? undefined : { uid: principal.tokenId },
    }),
    api: { operation: record.action, service: { name: 'dockgate' } },
    http_response: status === 0 ? undefined : withoutAbsent({ code: status, length: bytes }),
    resources: resourcesOf(record),
  };
}

function userOf(principal: AccessRecord['principal']): Readonly<Record<string, unknown>> {
  if (principal === undefined) return { name: 'unknown', type_id: 0 };
  const { id, name, kind } = principal;
  const typeId = USER_TYPES[kind] ?? 0;
  return withoutAbsent({
    ...{ name, uid: id === '' ? undefined : id, type_id: typeId },
    type: typeId === OTHER ? kind : undefined,
  });
}

function resourcesOf({ repository, reference, digest }: AccessRecord): unknown {
  if (repository === undefined && digest === undefined) return undefined;
  return [withoutAbsent({ type: 'repository', name: repository, uid: digest, version: reference })];
}

function unmappedOf(record: AccessRecord): unknown {
  const { kind, because, verdict, change, isTransfer, isAborted, bytes, principal } = record;
  return withoutAbsent({ kind, via: principal?.via, because, verdict, change, isTransfer, isAborted, bytes });
}

function withoutAbsent(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
