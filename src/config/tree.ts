import type { RawMap, RawValue } from './settings.ts';

/** Names and indexes from the top: `['upstreams', 0, 'url']`. */
export type KeyPath = readonly (string | number)[];

/** `upstreams[0].url`; the whole is the empty text. */
export function printPath(path: KeyPath): string {
  return path
    .map((step, at) => (typeof step === 'number' ? `[${step}]` : at === 0 ? step : `.${step}`))
    .join('');
}

/** Reads what printPath prints. */
export function readPath(text: string): KeyPath {
  return [...text.matchAll(/\[(\d+)\]|([^.[\]]+)/g)].map((match) =>
    match[1] === undefined ? (match[2] ?? '') : Number(match[1]),
  );
}

/** Names that could reach an object's prototype somewhere; no key of ours is called so. */
export function isForbiddenKey(key: string): boolean {
  return key === '__proto__' || key === 'constructor' || key === 'prototype';
}

/** All that was given, and where each value came from. Later layers replace what earlier ones said. */
export class Tree {
  readonly root: RawMap = Object.create(null);
  readonly #origins = new Map<string, string>();
  readonly #keyOrigins = new Map<string, string>();

  /** Where the value at the path, or the nearest one above it, was given. */
  originOf(path: KeyPath): string | undefined {
    for (let length = path.length; length >= 0; length -= 1) {
      const origin = this.#origins.get(printPath(path.slice(0, length)));
      if (origin !== undefined) return origin;
    }
    return undefined;
  }

  /** Where the key stands, rather than its value. */
  keyOriginOf(path: KeyPath): string | undefined {
    return this.#keyOrigins.get(printPath(path)) ?? this.originOf(path);
  }

  noteOrigin(path: KeyPath, origin: string): void {
    this.#origins.set(printPath(path), origin);
  }

  noteKeyOrigin(path: KeyPath, origin: string): void {
    this.#keyOrigins.set(printPath(path), origin);
    this.#origins.set(printPath(path), origin);
  }

  valueAt(path: KeyPath): RawValue | undefined {
    let value: RawValue | undefined = this.root;
    for (const step of path) value = childOf(value, step);
    return value;
  }

  /** @returns false when a step leads into something that is no section or list, or past a list's end. */
  set(path: KeyPath, value: RawValue, origin: string): boolean {
    const changed = replaced(this.root, path, value);
    if (changed === undefined) return false;
    Object.assign(this.root, changed);
    const text = printPath(path);
    for (const origins of [this.#origins, this.#keyOrigins]) forgetBelow(origins, text);
    this.#origins.set(text, origin);
    return true;
  }
}

function forgetBelow(origins: Map<string, string>, path: string): void {
  for (const known of origins.keys()) {
    if (known === path || known.startsWith(`${path}.`) || known.startsWith(`${path}[`)) origins.delete(known);
  }
}

function childOf(value: RawValue | undefined, step: string | number): RawValue | undefined {
  if (Array.isArray(value)) return typeof step === 'number' ? value[step] : undefined;
  return isMap(value) && typeof step === 'string' ? value[step] : undefined;
}

function isMap(value: RawValue | undefined): value is RawMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function replaced(at: RawValue | undefined, path: KeyPath, value: RawValue): RawValue | undefined {
  const [step, ...rest] = path;
  if (step === undefined) return value;
  const child = replaced(childOf(at, step), rest, value);
  if (child === undefined) return undefined;
  if (typeof step === 'number') {
    const items = at === undefined || at === null ? [] : at;
    return Array.isArray(items) && step <= items.length
      ? Object.assign([...items], { [step]: child })
      : undefined;
  }
  if (at !== undefined && at !== null && !isMap(at)) return undefined;
  return Object.assign(Object.create(null), at, { [step]: child });
}
