import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing, makeDirectory, syncDirectory, writeWhole } from './disk.ts';
import { matches, type RecordFilter } from './filter.ts';
import type { AccessRecord } from './record.ts';
import { isLogName } from './shape.ts';

/** A legal hold: records that it is about are not removed, however old they are. */
export interface Hold {
  readonly name: string;
  /** Why, for people. */
  readonly reason: string;
  /** When it was added, as in a record. */
  readonly since: string;
  /** Which records; absent conditions hold all. */
  readonly filter: RecordFilter;
}

const CONDITIONS = ['user', 'action', 'repository', 'outcome', 'digest', 'address'] as const;
const TIMES = ['sinceMs', 'untilMs'] as const;

/** Holds are files beside the log: who may write there could remove records by hand. */
function holdsDirectory(directory: string): string {
  return join(directory, 'holds');
}

function holdPath(directory: string, name: string): string {
  return join(holdsDirectory(directory), `${name}.json`);
}

/** @throws {TypeError} the name is none; a hold of that name is replaced. */
export async function addHold(directory: string, hold: Hold): Promise<void> {
  if (!isLogName(hold.name)) {
    throw new TypeError(`${hold.name}: 1 to 63 of a-z 0-9 . _ - beginning with a letter or digit`);
  }
  await makeDirectory(holdsDirectory(directory));
  await writeWhole(holdPath(directory, hold.name), Buffer.from(`${JSON.stringify(hold, null, 2)}\n`));
  await syncDirectory(holdsDirectory(directory));
}

/** @returns false: there was none of that name. */
export async function removeHold(directory: string, name: string): Promise<boolean> {
  if (!isLogName(name)) return false;
  try {
    await rm(holdPath(directory, name));
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
  await syncDirectory(holdsDirectory(directory));
  return true;
}

/** All holds by name. @throws {Error} a file that is none: nothing may be removed while nobody knows what it holds. */
export async function readHolds(directory: string): Promise<readonly Hold[]> {
  const names = await readdir(holdsDirectory(directory)).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
  const holds: Hold[] = [];
  for (const file of names.filter((name) => name.endsWith('.json')).sort()) {
    const path = join(holdsDirectory(directory), file);
    holds.push(parseHold(await readFile(path, 'utf8'), path));
  }
  return holds;
}

function parseHold(text: string, path: string): Hold {
  const fault = new Error(`${path}: not a hold; nothing of the access log is removed until it is mended`);
  return toHold(parseOr(text, fault), fault);
}

function toHold(value: unknown, fault: Error): Hold {
  if (!isFields(value) || !isFields(value.filter)) throw fault;
  const { name, reason, since, filter } = value;
  if (!isLogName(name) || typeof reason !== 'string' || typeof since !== 'string') throw fault;
  const known: readonly string[] = [...CONDITIONS, ...TIMES];
  if (!Object.keys(filter).every((key) => known.includes(key))) throw fault;
  const texts = Object.fromEntries(CONDITIONS.map((key) => [key, optional(filter[key], 'string', fault)]));
  const times = Object.fromEntries(TIMES.map((key) => [key, optional(filter[key], 'number', fault)]));
  return { name, reason, since, filter: { ...texts, ...times } };
}

function parseOr(text: string, fault: Error): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw fault;
  }
}

function optional(value: unknown, type: 'string' | 'number', fault: Error): unknown {
  if (value !== undefined && typeof value !== type) throw fault;
  return value;
}

function isFields(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The hold that a record tells; `undefined`: none that can be understood. */
export function asHold(value: unknown): Hold | undefined {
  try {
    return toHold(value, new Error('not a hold'));
  } catch {
    return undefined;
  }
}

/** Whether they hold the same for the same reason, in whatever order that is written. */
export function isSameHold(a: Hold, b: Hold): boolean {
  const all = [...CONDITIONS, ...TIMES] as const;
  const isAlike = a.name === b.name && a.reason === b.reason && a.since === b.since;
  return isAlike && all.every((key) => a.filter[key] === b.filter[key]);
}

export function isHeld(record: AccessRecord, holds: readonly Hold[]): boolean {
  return holds.some(({ filter }) => matches(record, filter));
}
