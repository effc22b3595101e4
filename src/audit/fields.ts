import { hash } from 'node:crypto';

/** How much of a value a record may keep. */
export interface FieldLimits {
  /** Characters (UTF-16 units) kept of one string. */
  readonly charactersMax: number;
  /** Entries kept of one array or object. */
  readonly entriesMax: number;
  /** Levels of arrays and objects kept. */
  readonly depthMax: number;
}

/** Loosest first; a record that is too long as a line is tried again with the next. */
export const FIELD_LIMITS: readonly FieldLimits[] = [
  { charactersMax: 2048, entriesMax: 100, depthMax: 8 },
  { charactersMax: 512, entriesMax: 30, depthMax: 6 },
  { charactersMax: 160, entriesMax: 10, depthMax: 5 },
  { charactersMax: 100, entriesMax: 3, depthMax: 4 },
  { charactersMax: 60, entriesMax: 1, depthMax: 3 },
];

/**
 * A copy of `value` within the limits, of plain JSON values only. What is cut leaves a mark with its length and the
 * sha256 of the whole (UTF-8), so that the whole can be recognised elsewhere.
 */
export function limitField(value: unknown, limits: FieldLimits): unknown {
  switch (typeof value) {
    case 'string':
      return limitText(value, limits.charactersMax);
    case 'number':
      return Number.isFinite(value) ? value : null;
    case 'boolean':
      return value;
    case 'bigint':
      return limitText(value.toString(), limits.charactersMax);
    case 'object':
      return limitObject(value, limits);
    default:
      return undefined;
  }
}

export function limitText(given: string, charactersMax: number): string {
  const text = hideSecrets(given);
  if (text.length <= charactersMax) return text;
  return `${text.slice(0, charactersMax)}${cutMark(`${text.length} characters`, text)}`;
}

/**
 * What only a credential looks like: a robot's secret, a refresh token, an access token, an Authorization header.
 * Callers put them where they do not belong, such as in a User-Agent (threats A-04, C-09). No hash stands for it:
 * that of a password could be guessed.
 */
const SECRET =
  /\bdg[rf]_[0-9A-Za-z_]{20,}|\beyJ[\w-]{10,400}\.[\w-]{10,8000}\.[\w-]{10,400}|\bbearer[\s:]{1,9}[\w+/=.~-]{20,}/gi;
const BASIC = /\bbasic[\s:]{1,9}([A-Za-z0-9+/]{4,}={0,2})/gi;
const MAY_HOLD_SECRET = /dg[rf]_|eyJ|basic|bearer/i;
const HIDDEN = '[hidden]';

/** Tells most texts apart at a fraction of the cost; their JSON as well, which leaves letters as they are. */
export function mayHoldSecret(text: string): boolean {
  return MAY_HOLD_SECRET.test(text);
}

function hideSecrets(text: string): string {
  if (!mayHoldSecret(text)) return text;
  return text
    .replace(SECRET, HIDDEN)
    .replace(BASIC, (whole, value: string) => (isNameAndPassword(value) ? HIDDEN : whole));
}

/** "Basic hardening" is none. */
function isNameAndPassword(base64: string): boolean {
  return /^[\x20-\x7e]+:/.test(Buffer.from(base64, 'base64').toString('latin1'));
}

function limitObject(value: object | null, limits: FieldLimits): unknown {
  if (value === null) return null;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  // The depth is what ends a cycle, so the whole is not printed for a hash here: it may have no end.
  if (limits.depthMax <= 0) return '[cut: nested too deep]';
  const inner = { ...limits, depthMax: limits.depthMax - 1 };
  if (Array.isArray(value)) {
    const kept = value.slice(0, limits.entriesMax).map((entry) => limitField(entry, inner) ?? null);
    return value.length > limits.entriesMax ? [...kept, moreMark(value.length - kept.length, value)] : kept;
  }
  const entries = Object.entries(value).filter(([, entry]) => entry !== undefined);
  const kept = entries
    .slice(0, limits.entriesMax)
    .map(([key, entry]): [string, unknown] => [
      limitText(key, limits.charactersMax),
      limitField(entry, inner),
    ]);
  if (entries.length > limits.entriesMax) kept.push(['[cut]', moreMark(entries.length - kept.length, value)]);
  // fromEntries defines properties; assignment would make a key `__proto__` the prototype.
  return Object.fromEntries(kept);
}

function cutMark(size: string, whole: string): string {
  return `[cut: ${size}, sha256:${hash('sha256', whole)}]`;
}

/** The mark that stands for entries left out of `whole`. */
export function moreMark(count: number, whole: object): string {
  let text: string;
  try {
    text = JSON.stringify(whole) ?? '';
  } catch {
    // Cyclic or holding a bigint: it has no JSON text that could be hashed.
    return `[cut: ${count} more entries]`;
  }
  return cutMark(`${count} more entries`, text);
}
