/**
 * JSON that two parsers could read differently is refused: the registry behind us and the scanners are written
 * in other languages, and an image must be the same image to all of them. Refused beside what JSON.parse refuses:
 * a byte order mark, invalid UTF-8, a key given twice (also in another case: Go folds it), a number that a double
 * cannot hold exactly, a lone surrogate, nesting deeper than `depthMax`. Annotations and labels are maps to Go as
 * well, whose keys may differ in case only, as those of real images do.
 */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

export type JsonResult =
  | { readonly ok: true; readonly value: JsonValue }
  | { readonly ok: false; readonly problem: string };

class Unacceptable extends Error {}

/** Members, by their folded names, that are maps of free text in every language. */
const FREE_MAPS: ReadonlySet<string> = new Set(['annotations', 'labels', 'volumes', 'exposedports']);

/**
 * A key as Go compares it with the name of a field: without case, and with the two letters beyond ASCII that have an
 * ASCII one as their simple case variant (U+017F is an s, U+212A a k).
 */
export function foldKey(key: string): string {
  return key.toUpperCase().toLowerCase();
}

export function parseStrictJson(bytes: Uint8Array, depthMax = 32): JsonResult {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return { ok: false, problem: 'not valid UTF-8' };
  }
  try {
    return { ok: true, value: new Reader(text, depthMax).read() };
  } catch (error) {
    if (error instanceof Unacceptable) return { ok: false, problem: error.message };
    throw error;
  }
}

/** A recursive descent over RFC 8259; objects get no prototype, so `__proto__` is a key like any other. */
class Reader {
  #at = 0;
  readonly #text: string;
  readonly #depthMax: number;

  constructor(text: string, depthMax: number) {
    this.#text = text;
    this.#depthMax = depthMax;
  }

  read(): JsonValue {
    const value = this.#value(0);
    this.#space();
    if (this.#at < this.#text.length) this.#fail('text after the end');
    return value;
  }

  #fail(problem: string): never {
    throw new Unacceptable(`${problem} at character ${this.#at}`);
  }

  #space(): void {
    while (' \t\n\r'.includes(this.#text.charAt(this.#at)) && this.#at < this.#text.length) this.#at += 1;
  }

  #value(depth: number, isFreeMap = false): JsonValue {
    if (depth > this.#depthMax) this.#fail(`nested deeper than ${this.#depthMax}`);
    this.#space();
    const next = this.#text.charAt(this.#at);
    if (next === '{') return this.#object(depth, isFreeMap);
    if (next === '[') return this.#array(depth);
    if (next === '"') return this.#string();
    return this.#literal();
  }

  #object(depth: number, isFreeMap: boolean): JsonValue {
    const members: Record<string, JsonValue> = Object.create(null);
    const known = new Set<string>();
    this.#at += 1;
    this.#space();
    if (this.#take('}')) return members;
    for (;;) {
      this.#space();
      if (this.#text.charAt(this.#at) !== '"') this.#fail('a key expected');
      const key = this.#string();
      const folded = foldKey(key);
      const identity = isFreeMap ? key : folded;
      if (known.has(identity)) this.#fail(`key "${key.slice(0, 40)}" given twice`);
      known.add(identity);
      this.#space();
      if (!this.#take(':')) this.#fail('":" expected');
      members[key] = this.#value(depth + 1, FREE_MAPS.has(folded));
      this.#space();
      if (this.#take('}')) return members;
      if (!this.#take(',')) this.#fail('"," or "}" expected');
    }
  }

  #array(depth: number): JsonValue {
    const items: JsonValue[] = [];
    this.#at += 1;
    this.#space();
    if (this.#take(']')) return items;
    for (;;) {
      items.push(this.#value(depth + 1));
      this.#space();
      if (this.#take(']')) return items;
      if (!this.#take(',')) this.#fail('"," or "]" expected');
    }
  }

  #take(character: string): boolean {
    if (this.#text.charAt(this.#at) !== character) return false;
    this.#at += 1;
    return true;
  }

  #string(): string {
    let end = this.#at + 1;
    for (; end < this.#text.length; end += 1) {
      const character = this.#text.charAt(end);
      if (character === '"') break;
      if (character === '\\') end += 1;
    }
    const raw = this.#text.slice(this.#at, end + 1);
    let value: unknown;
    try {
      value = JSON.parse(raw);
    } catch {
      this.#fail('a malformed string');
    }
    if (typeof value !== 'string' || !value.isWellFormed()) this.#fail('a malformed string');
    this.#at = end + 1;
    return value;
  }

  #literal(): JsonValue {
    const raw = /^[-+.\w]+/.exec(this.#text.slice(this.#at, this.#at + 64))?.[0] ?? '';
    if (raw === 'true' || raw === 'false' || raw === 'null') {
      this.#at += raw.length;
      return raw === 'null' ? null : raw === 'true';
    }
    if (!/^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?$/.test(raw)) this.#fail('a value expected');
    const value = Number(raw);
    const isExact = Number.isInteger(value) ? Number.isSafeInteger(value) : Number.isFinite(value);
    if (!isExact) this.#fail('a number out of range');
    this.#at += raw.length;
    return value;
  }
}
