import * as z from 'zod';
import { parseBytes, parseDuration, printDuration } from '../base/index.ts';

/** A value as YAML, the environment or the command line gave it, before any check. */
export type RawValue = null | boolean | number | string | readonly RawValue[] | RawMap;
/** Without prototype: a key is never taken for something inherited. */
export interface RawMap {
  [key: string]: RawValue;
}

/** What the schema says of one key beside its type: printed by the reference page and `config explain`. */
export type Description =
  | { readonly kind: 'section'; readonly doc: string; readonly keys: Readonly<Record<string, z.ZodType>> }
  | { readonly kind: 'list'; readonly doc: string; readonly element: z.ZodType }
  | Leaf;

export interface Leaf {
  readonly kind: 'leaf';
  readonly doc: string;
  /** Completes "must be". */
  readonly accepts: string;
  /** As one would write it; absent: nothing unless set. */
  readonly defaultText?: string;
  readonly isSecret: boolean;
}

const descriptions = new WeakMap<z.ZodType, Description>();

export function describe(schema: z.ZodType): Description | undefined {
  return descriptions.get(schema);
}

/** An object with exactly these keys; absent, every key has its default. */
export function section<Shape extends z.ZodRawShape & Record<string, z.ZodType>>(doc: string, keys: Shape) {
  const schema = z.preprocess(
    (value) => (value === undefined || value === null ? {} : value),
    z.strictObject(keys, {
      error: ({ code }) => {
        const names = Object.keys(keys).join(', ');
        return code === 'unrecognized_keys'
          ? `unknown key; there are ${names}`
          : `must be a section with the keys ${names}`;
      },
    }),
  );
  descriptions.set(schema, { kind: 'section', doc, keys });
  return schema;
}

/** A list of sections; absent, there is none. */
export function list<Element extends z.ZodType>(doc: string, element: Element) {
  const items = z.array(element, { error: () => 'must be a list' });
  const schema = z.preprocess((value) => value ?? [], items);
  descriptions.set(schema, { kind: 'list', doc, element });
  return schema;
}

interface LeafOptions<Value> {
  readonly doc: string;
  readonly accepts: string;
  /** @returns `undefined` for what is not accepted. */
  readonly parse: (value: RawValue) => Value | undefined;
  readonly isSecret?: boolean;
}

function parser<Value>({ accepts, parse, isSecret = false }: LeafOptions<Value>) {
  return z.custom<RawValue>().transform((raw, context): Value => {
    const value = parse(raw);
    if (value !== undefined) return value;
    // An address with a password in it is refused, so the password is not printed either.
    const given = isSecret ? '' : `, not ${printRaw(raw).replace(/\/\/[^/\s]*@/g, '//(secret)@')}`;
    context.addIssue({ code: 'custom', message: `must be ${accepts}${given}` });
    return z.NEVER;
  });
}

/** A key with a default, written as in the file; the default passes the same check. */
export function setting<Value>(options: LeafOptions<Value> & { readonly default: RawValue }) {
  const schema = z.preprocess((raw) => raw ?? options.default, parser(options));
  const defaultText = printRaw(options.default);
  descriptions.set(schema, leafOf(options, defaultText));
  return schema;
}

/** A key that may be left out. */
export function optionalSetting<Value>(options: LeafOptions<Value>) {
  const schema = z.preprocess((raw) => raw ?? undefined, parser(options).optional());
  descriptions.set(schema, leafOf(options));
  return schema;
}

/** A key that must be given. */
export function requiredSetting<Value>(options: LeafOptions<Value>) {
  const schema = z.preprocess((raw) => raw ?? null, parser(options));
  descriptions.set(schema, leafOf(options));
  return schema;
}

function leafOf<Value>(options: LeafOptions<Value>, defaultText?: string): Leaf {
  const { doc, accepts, isSecret = false } = options;
  return { kind: 'leaf', doc, accepts, isSecret, ...(defaultText === undefined ? {} : { defaultText }) };
}

/** A value for a message: as it was written, at most 60 characters. */
export function printRaw(value: RawValue): string {
  const text = typeof value === 'string' && /^[\w./:@-]+$/.test(value) ? value : JSON.stringify(value);
  return text.length <= 60 ? text : `${text.slice(0, 57)}...`;
}

export function wholeNumber(min: number, max: number, unit = '') {
  return {
    accepts: `a whole number from ${min} to ${max}${unit}`,
    parse: (value: RawValue): number | undefined => {
      const isNumeric = typeof value === 'number' || (typeof value === 'string' && /^\d{1,15}$/.test(value));
      const number = isNumeric ? Number(value) : Number.NaN;
      return Number.isInteger(number) && number >= min && number <= max ? number : undefined;
    },
  };
}

/** Read as milliseconds. */
export function duration(minMs: number, maxMs: number) {
  return {
    accepts: `a duration such as 250ms, 20s, 5m, 12h or 7d, from ${printDuration(minMs)} to ${printDuration(maxMs)}`,
    parse: (value: RawValue): number | undefined => {
      const ms = typeof value === 'string' ? parseDuration(value) : undefined;
      return ms !== undefined && ms >= minMs && ms <= maxMs ? ms : undefined;
    },
  };
}

/** Read as a count of bytes. */
export function byteCount(minText: string, maxText: string) {
  const [min, max] = [parseBytes(minText) ?? 0, parseBytes(maxText) ?? 0];
  return {
    accepts: `a size such as 512KiB, 64MiB or 4GiB, from ${minText} to ${maxText}`,
    parse: (value: RawValue): number | undefined => {
      const bytes =
        typeof value === 'string' || typeof value === 'number' ? parseBytes(String(value)) : undefined;
      return bytes !== undefined && bytes >= min && bytes <= max ? bytes : undefined;
    },
  };
}

export function flag() {
  return {
    accepts: 'true or false',
    parse: (value: RawValue): boolean | undefined => {
      if (value === true || value === 'true') return true;
      return value === false || value === 'false' ? false : undefined;
    },
  };
}

export function oneOf<Word extends string>(...words: readonly Word[]) {
  return {
    accepts: words.length === 1 ? `${words[0]}` : `one of ${words.join(', ')}`,
    parse: (value: RawValue): Word | undefined => words.find((word) => word === value),
  };
}

/** Text that passes a check; a number must be quoted in YAML to be text. */
export function text(accepts: string, isAccepted: (value: string) => boolean) {
  return {
    accepts,
    parse: (value: RawValue): string | undefined =>
      typeof value === 'string' && isAccepted(value) ? value : undefined,
  };
}

/** A list of texts, in the environment and on the command line separated by commas. */
export function texts(what: string, isAccepted: (value: string) => boolean) {
  return {
    accepts: `a list of ${what}`,
    parse: (value: RawValue): readonly string[] | undefined => {
      const items = typeof value === 'string' ? value.split(',').map((item) => item.trim()) : value;
      if (!Array.isArray(items)) return undefined;
      return items.every((item): item is string => typeof item === 'string' && isAccepted(item))
        ? items
        : undefined;
    },
  };
}
