import type { Answer, Ask, RawAnswer } from './transcript.ts';

/** Who speaks in a transcript: `<password of NAME>`, in a header `<basic of NAME>`. */
export interface Speaker {
  readonly name: string;
  readonly user: string;
  readonly password: string;
}

/**
 * What differs from run to run, by names such as `<host>` and `<token 1>`: recording hides it, replaying fills it in.
 * Both learn from the answers in the same order, so that the same thing has the same name.
 */
export interface Placeholders {
  /** Learns what an answer gives the client to use again: tokens, upload locations. */
  learn(answer: RawAnswer): void;
  hideInAsk(ask: Ask): Ask;
  hideInAnswer(answer: Answer): Answer;
  fill(said: Ask): Ask;
}

const TOKENS: Readonly<Record<string, string>> = {
  token: 'token',
  access_token: 'token',
  refresh_token: 'refresh token',
};
const UPLOAD_LOCATION = /\/blobs\/uploads\/([^/?]+)/;
type Patterns = readonly (readonly [RegExp, string])[];
/** Told once and never used again. */
const PASSING: Patterns = [
  [/\bdecision [a-z2-7]{26}\b/g, 'decision <id>'],
  [/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, '<time>'],
];
/** In what a client says of itself; docker names the kernel it runs on. */
const OF_THE_MACHINE: Patterns = [[/\bkernel\/\S+/g, 'kernel/<version>']];

/** @param host `localhost:PORT` that the client was given. */
export function createPlaceholders(host: string, speakers: readonly Speaker[]): Placeholders {
  const values = new Map([['<host>', host]]);
  const counts = new Map<string, number>();
  for (const { name, user, password } of speakers) {
    values.set(`<password of ${name}>`, password);
    values.set(`<basic of ${name}>`, Buffer.from(`${user}:${password}`).toString('base64'));
  }
  const name = (kind: string, value: string): void => {
    if ([...values.values()].includes(value)) return;
    const count = (counts.get(kind) ?? 0) + 1;
    counts.set(kind, count);
    values.set(`<${kind} ${count}>`, value);
  };
  const hideText = (text: string, patterns: Patterns): string => {
    let hidden = text;
    for (const [placeholder, value] of values) hidden = hidden.replaceAll(value, placeholder);
    for (const [pattern, placeholder] of patterns) hidden = hidden.replaceAll(pattern, placeholder);
    return hidden;
  };
  const fillText = (text: string): string =>
    text.replaceAll(/<[a-z0-9 ]+>/g, (placeholder) => values.get(placeholder) ?? placeholder);
  return {
    learn({ headers, body }) {
      const upload = UPLOAD_LOCATION.exec(String(headers.location));
      if (upload?.[1] !== undefined) name('upload', upload[1]);
      const session = headers['docker-upload-uuid'];
      if (typeof session === 'string') name('session', session);
      if (!String(headers['content-type']).startsWith('application/json') || body.length === 0) return;
      for (const [key, value] of Object.entries(JSON.parse(body.toString()))) {
        const kind = TOKENS[key];
        if (kind !== undefined && typeof value === 'string') name(kind, value);
      }
    },
    hideInAsk: (ask) => mapStrings(ask, (text) => hideText(text, OF_THE_MACHINE)),
    hideInAnswer: (answer) => mapStrings(answer, (text) => hideText(text, PASSING)),
    fill: (said) => mapStrings(said, fillText),
  };
}

/** The same structure, each string in it changed; compressed bytes stay as they are. */
function mapStrings<T>(value: T, change: (text: string) => string): T {
  const map = (part: unknown): unknown => {
    if (typeof part === 'string') return change(part);
    if (Array.isArray(part)) return part.map(map);
    if (typeof part !== 'object' || part === null || 'gzip' in part) return part;
    return Object.fromEntries(Object.entries(part).map(([key, inner]) => [key, map(inner)]));
  };
  // Same keys, same kinds of values.
  return map(value) as T;
}
