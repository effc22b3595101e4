import { parse } from 'yaml';
import type * as z from 'zod';
import { StartError } from '../base/index.ts';
import { schema } from './schema.ts';
import { describe, type RawValue } from './settings.ts';
import { isForbiddenKey, type KeyPath, printPath, type Tree } from './tree.ts';

/** The command line's share of the configuration; texts as typed. */
export interface ConfigOptions {
  /** --config FILE */
  readonly config?: string;
  /** --data DIR */
  readonly data?: string;
  /** --certs DIR */
  readonly certs?: string;
  readonly port?: string;
  readonly opsPort?: string;
  readonly opsListen?: string;
  readonly listen?: string;
  readonly workers?: string;
  readonly publicUrl?: string;
  /** Each --name. */
  readonly name?: readonly string[];
  /** Each --set key=value. */
  readonly set?: readonly string[];
}

export type Environment = Readonly<Record<string, string | undefined>>;

export const ENVIRONMENT_PREFIX = 'DOCKGATE_';

/**
 * Lays `DOCKGATE_A__B=value` over the tree: two underscores step into a section or list, single ones and case do not
 * matter (`DOCKGATE_PUBLIC_URL`, `DOCKGATE_UPSTREAMS__0__URL`).
 *
 * @throws {StartError} a variable with our prefix that names no key.
 */
export function layEnvironment(tree: Tree, environment: Environment): void {
  for (const name of Object.keys(environment).sort()) {
    const value = environment[name];
    if (!name.startsWith(ENVIRONMENT_PREFIX) || value === undefined) continue;
    const steps = name.slice(ENVIRONMENT_PREFIX.length).split('__');
    const path = findPath(steps, (key, step) => fold(key) === fold(step));
    if (!path) throw new StartError(`${name}: there is no such key; see docs/configuration.md`);
    layText(tree, path, value, name);
  }
}

/** Lays flags, then each --set, over the tree. */
export function layOptions(tree: Tree, options: ConfigOptions): void {
  const flags: readonly [string, string, string | undefined][] = [
    ['dataDirectory', '--data', options.data],
    ['certsDirectory', '--certs', options.certs],
    ['port', '--port', options.port],
    ['opsPort', '--ops-port', options.opsPort],
    ['opsListen', '--ops-listen', options.opsListen],
    ['listen', '--listen', options.listen],
    ['workers', '--workers', options.workers],
    ['publicUrl', '--public-url', options.publicUrl],
  ];
  for (const [key, flag, value] of flags) if (value !== undefined) tree.set([key], value, flag);
  if (options.name && options.name.length > 0) tree.set(['names'], options.name, '--name');
  for (const assignment of options.set ?? []) laySet(tree, assignment);
}

function laySet(tree: Tree, assignment: string): void {
  const at = assignment.indexOf('=');
  if (at < 1)
    throw new StartError(`--set ${assignment}: must be key=value, such as --set token.lifetime=10m`);
  const key = assignment.slice(0, at);
  const steps = key.replace(/\[(\d+)\]/g, '.$1').split('.');
  const path = findPath(steps, (known, step) => known === step);
  if (!path) throw new StartError(`--set ${key}: there is no such key; see docs/configuration.md`);
  layText(tree, path, assignment.slice(at + 1), `--set ${key}`);
}

/** Follows the steps down the schema. @returns `undefined` when one of them is no key there. */
function findPath(
  steps: readonly string[],
  isSame: (key: string, step: string) => boolean,
): KeyPath | undefined {
  const path: (string | number)[] = [];
  let at: z.ZodType = schema;
  for (const step of steps) {
    const here = describe(at);
    if (here?.kind === 'list' && /^\d{1,4}$/.test(step)) {
      path.push(Number(step));
      at = here.element;
      continue;
    }
    const key =
      here?.kind === 'section' ? Object.keys(here.keys).find((known) => isSame(known, step)) : undefined;
    const next = here?.kind === 'section' && key !== undefined ? here.keys[key] : undefined;
    if (key === undefined || next === undefined || isForbiddenKey(step)) return undefined;
    path.push(key);
    at = next;
  }
  return path;
}

function fold(text: string): string {
  return text.replaceAll('_', '').toLowerCase();
}

function layText(tree: Tree, path: KeyPath, text: string, origin: string): void {
  if (!tree.set(path, readText(text, origin), origin)) {
    throw new StartError(
      `${origin}: ${printPath(path)} lies in no list or section: give the entries from 0 on`,
    );
  }
}

/** A value that looks like a YAML list or map is one; everything else is text, which each key reads its own way. */
function readText(text: string, origin: string): RawValue {
  if (!/^[[{]/.test(text)) return text;
  try {
    const value: unknown = parse(text, { version: '1.2', maxAliasCount: 0 });
    return withoutPrototypes(value, origin);
  } catch (error) {
    if (error instanceof StartError) throw error;
    throw new StartError(`${origin}: not a list or map in YAML or JSON`);
  }
}

function withoutPrototypes(value: unknown, origin: string): RawValue {
  if (Array.isArray(value)) return value.map((item) => withoutPrototypes(item, origin));
  if (typeof value === 'object' && value !== null) {
    const members = Object.create(null);
    for (const [key, member] of Object.entries(value)) {
      if (isForbiddenKey(key)) throw new StartError(`${origin}: ${key} cannot be a key`);
      members[key] = withoutPrototypes(member, origin);
    }
    return members;
  }
  if (
    value === null ||
    typeof value === 'boolean' ||
    typeof value === 'number' ||
    typeof value === 'string'
  ) {
    return value;
  }
  throw new StartError(`${origin}: must be text, a number, true or false`);
}
