import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { promisify } from 'node:util';

/** Where the numbers of `/proc/PID/stat` begin that follow the name: field 3 is the first after the bracket. */
const FIRST_FIELD = 3;
const PARENT_FIELD = 4;
const USER_TICKS_FIELD = 14;
const SYSTEM_TICKS_FIELD = 15;

/** The process and all that descend from it, as they are now. */
export function familyOf(pid: number): readonly number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    const parent = /^\d+$/.test(name) ? fieldOf(Number(name), PARENT_FIELD) : undefined;
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const family = [pid];
  for (const member of family) family.push(...(children.get(member) ?? []));
  return family;
}

/** Processor seconds that the processes have used so far, in user and in system mode. */
export function cpuSecondsOf(pids: readonly number[], ticksPerSecond: number): number {
  let ticks = 0;
  for (const pid of pids) {
    ticks += (fieldOf(pid, USER_TICKS_FIELD) ?? 0) + (fieldOf(pid, SYSTEM_TICKS_FIELD) ?? 0);
  }
  return ticks / ticksPerSecond;
}

export type Role = 'workers' | 'housekeeping' | 'primary';

/** What each process of a server is there for. */
export function rolesOf(pids: readonly number[]): ReadonlyMap<number, Role> {
  return new Map(pids.map((pid) => [pid, roleOf(readText(`/proc/${pid}/cmdline`))]));
}

function roleOf(command: string): Role {
  if (command.includes('worker-process')) return 'workers';
  return command.includes('housekeeping-process') ? 'housekeeping' : 'primary';
}

/**
 * Resident memory of the processes in bytes; pages that they share count for each.
 *
 * @param kind `RssAnon`: only what no file backs, so not the program itself.
 */
export function residentBytesOf(pids: readonly number[], kind: 'VmRSS' | 'RssAnon' = 'VmRSS'): number {
  let bytes = 0;
  for (const pid of pids) {
    const kibibytes = new RegExp(`^${kind}:\\s+(\\d+) kB$`, 'm').exec(readText(`/proc/${pid}/status`))?.[1];
    bytes += Number(kibibytes ?? 0) * 1024;
  }
  return bytes;
}

export async function readTicksPerSecond(): Promise<number> {
  const { stdout } = await promisify(execFile)('getconf', ['CLK_TCK']);
  return Number(stdout);
}

function fieldOf(pid: number, field: number): number | undefined {
  const text = readText(`/proc/${pid}/stat`);
  // The name before the bracket may hold spaces and brackets itself.
  const value = text.slice(text.lastIndexOf(')') + 2).split(' ')[field - FIRST_FIELD];
  return value === undefined || value === '' ? undefined : Number(value);
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // Ended meanwhile.
    return '';
  }
}
