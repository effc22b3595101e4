import type { JsonValue } from '../oci/index.ts';

/** The value below these keys of nested objects; absent where one of them is no object or has no such key. */
export function memberOf(value: JsonValue | undefined, ...keys: readonly string[]): JsonValue | undefined {
  let found = value;
  for (const key of keys) {
    if (typeof found !== 'object' || found === null || !isObject(found)) return undefined;
    found = Object.hasOwn(found, key) ? found[key] : undefined;
  }
  return found;
}

export function textOf(value: JsonValue | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function isObject(value: object): value is { readonly [key: string]: JsonValue } {
  return !Array.isArray(value);
}
