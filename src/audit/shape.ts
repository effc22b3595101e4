import type { AccessRecord, AuditEntry } from './record.ts';

const KINDS: readonly unknown[] = ['decision', 'completion', 'summary', 'system'];
const OUTCOMES: readonly unknown[] = ['allowed', 'refused'];
const TEXTS = ['reason', 'method', 'repository', 'reference', 'digest', 'because', 'note'];
const NUMBERS = ['bytes', 'durationMs', 'count'];

/** `2026-11-24T11:35:19.123456Z`: fixed width, so text order is time order. */
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;
/** Writer and node names are parts of file names and of the checkpoint's origin line. */
const NAME = /^[a-z0-9][a-z0-9._-]{0,62}$/;

/** Whether a value may name a node or a writer. */
export function isLogName(value: unknown): value is string {
  return typeof value === 'string' && NAME.test(value);
}

/** Whether an entry has the fields of its type: the door's check, so that one caller's bug costs only its own record. */
export function isAuditEntry(value: unknown): value is AuditEntry {
  return isObject(value) && hasDecision(value) && hasOptions(value);
}

/** Whether a value read from a line has the fields of an AccessRecord with their types. */
export function isAccessRecord(value: unknown): value is AccessRecord {
  if (!isObject(value)) return false;
  return hasStamp(value) && hasDecision(value) && hasOptions(value);
}

function hasStamp(value: Fields): boolean {
  const { v, id, time, node, writer, seq } = value;
  if (v !== 1 || typeof id !== 'string' || typeof time !== 'string' || !TIME.test(time)) return false;
  return (
    isLogName(node) && isLogName(writer) && typeof seq === 'number' && Number.isSafeInteger(seq) && seq >= 1
  );
}

function hasDecision(value: Fields): boolean {
  const { kind, requestId, action, outcome, status } = value;
  if (!KINDS.includes(kind) || !OUTCOMES.includes(outcome)) return false;
  return typeof requestId === 'string' && typeof action === 'string' && Number.isFinite(status);
}

function hasOptions(value: Fields): boolean {
  if (!TEXTS.every((key) => isAbsentOr(value[key], 'string'))) return false;
  if (!NUMBERS.every((key) => value[key] === undefined || Number.isFinite(value[key]))) return false;
  const { isTransfer, isAborted, principal, client, verdict, change } = value;
  if (!isAbsentOr(isTransfer, 'boolean')) return false;
  if (!isAbsentOr(isAborted, 'boolean') || !(change === undefined || isObject(change))) return false;
  return isPrincipal(principal) && isClient(client) && isVerdict(verdict);
}

function isPrincipal(value: unknown): boolean {
  if (value === undefined) return true;
  if (!isObject(value)) return false;
  const { tokenId } = value;
  return (
    isAbsentOr(tokenId, 'string') &&
    ['kind', 'id', 'name', 'via'].every((key) => typeof value[key] === 'string')
  );
}

function isClient(value: unknown): boolean {
  if (value === undefined) return true;
  if (!isObject(value)) return false;
  const { address, userAgent } = value;
  return typeof address === 'string' && isAbsentOr(userAgent, 'string');
}

function isVerdict(value: unknown): boolean {
  if (value === undefined) return true;
  if (!isObject(value)) return false;
  const { outcome, reasons } = value;
  return typeof outcome === 'string' && Array.isArray(reasons) && reasons.every(isReason);
}

function isReason(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { policy, rule, findings } = value;
  if (typeof policy !== 'string' || typeof rule !== 'string' || !Array.isArray(findings)) return false;
  return findings.every((finding) => typeof finding === 'string');
}

type Fields = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isAbsentOr(value: unknown, type: 'string' | 'boolean'): boolean {
  return value === undefined || typeof value === type;
}
