import { constants } from 'node:fs';
import { link, open, readFile, readlink, rename, rm, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as passing } from 'node:timers/promises';
import { newId, type Random, StartError } from '../base/index.ts';
import { isMissing } from './disk.ts';

/** Milliseconds between two looks at a lock that was just taken over, and how many looks at most. */
const SETTLE_MS = 50;
const SETTLE_LOOKS = 10;
/** How often the holder shows that it lives, and after how long without it a lock of another host is stale. */
const BEAT_MS = 2000;
const STALE_MS = 15_000;

/** Who holds a lock. Two containers may share a host name, so the kernel's boot and process namespace count too. */
interface Holder {
  readonly token: string;
  readonly host: string;
  readonly space: string;
  readonly pid: number;
  /** Start of the process as the kernel counts it, so that a reused pid is not mistaken; empty where unknown. */
  readonly started: string;
}

/** Somebody took the lock over while we were stopped. Never retried: whoever has it now writes in our place. */
export class LockLost extends Error {
  override readonly name = 'LockLost';
  readonly code = 'LOCK_LOST';
}

export interface Lock {
  /** @throws {LockLost} the lock is no longer ours. */
  check(): Promise<void>;
  release(): Promise<void>;
}

/**
 * Takes a lock file, or takes over a stale one: its process is gone, or (where that cannot be seen from here) it has
 * not been renewed for 15 s.
 *
 * @throws {StartError} somebody who lives holds it (threat A-18).
 */
export async function takeLock(path: string, random: Random): Promise<Lock> {
  const self = await describeSelf(newId(random));
  for (let attempt = 0; attempt < 3; attempt += 1) {
    // After a takeover others may have been at it too: the second of them moves our fresh lock away for a moment.
    if ((await placeLock(path, self)) && (attempt === 0 || (await isSettled(path, self)))) {
      return holdLock(path, self);
    }
    await removeStale(path, self);
  }
  throw new StartError(`${path}: others are taking this lock at the same time; start again`);
}

/** Whether the lock is ours once everybody who saw the stale one has acted: a lock that was moved away is put back. */
async function isSettled(path: string, self: Holder): Promise<boolean> {
  for (let look = 0; look < SETTLE_LOOKS; look += 1) {
    await passing(SETTLE_MS);
    const holder = await readHolder(path);
    if (holder !== undefined && (holder.token !== self.token || look > 0)) return holder.token === self.token;
  }
  return false;
}

function holdLock(path: string, self: Holder): Lock {
  const check = async (): Promise<void> => {
    const holder = await readHolder(path);
    if (holder?.token === self.token) return;
    // A file that is only gone (somebody emptied the directory) is made again; one by another holder is respected.
    if (holder !== undefined || !(await placeLock(path, self))) {
      throw new LockLost(`${path}: another process took this lock over`);
    }
  };
  const beat = setInterval(() => {
    const now = new Date();
    // A beat that fails makes the lock look stale to others, and the next check tells us.
    check()
      .then(() => utimes(path, now, now))
      .catch(() => undefined);
  }, BEAT_MS);
  beat.unref();
  return {
    check,
    async release() {
      clearInterval(beat);
      if ((await readHolder(path))?.token === self.token) await rm(path, { force: true });
    },
  };
}

/** Puts our lock there whole, if no other is there. @returns whether ours is. */
async function placeLock(path: string, self: Holder): Promise<boolean> {
  const draft = `${path}.${self.token}`;
  await rm(draft, { force: true });
  await writeNew(draft, JSON.stringify(self));
  try {
    return await tryLink(draft, path);
  } finally {
    await rm(draft, { force: true });
  }
}

/** Moves a stale lock away. Two takers cannot both do it: the second one finds another token in what it moved. */
async function removeStale(path: string, self: Holder): Promise<void> {
  const holder = await readHolder(path);
  if (holder === undefined) return;
  if (await isAlive(holder, path, self)) {
    throw new StartError(
      `${path}: in use by process ${holder.pid} on ${holder.host}; stop it, or give this one another data directory`,
    );
  }
  const moved = `${path}.${self.token}.stale`;
  try {
    await rename(path, moved);
  } catch (error) {
    // Released or taken over by another in this moment: the caller tries again.
    if (isMissing(error)) return;
    throw error;
  }
  if ((await readHolder(moved))?.token !== holder.token) await tryLink(moved, path);
  await rm(moved, { force: true });
}

async function isAlive(holder: Holder, path: string, self: Holder): Promise<boolean> {
  if (holder.host === self.host && holder.space === self.space) {
    return (await startOf(holder.pid)) === holder.started && isRunning(holder.pid);
  }
  // Both times come from the clock of the file system, whichever hosts wrote them.
  const probe = `${path}.${self.token}.probe`;
  await writeNew(probe, '');
  try {
    const [theirs, ours] = await Promise.all([stat(path), stat(probe)]);
    return ours.mtimeMs - theirs.mtimeMs < STALE_MS;
  } catch (error) {
    // Released in this moment, so nobody holds it.
    if (isMissing(error)) return false;
    throw error;
  } finally {
    await rm(probe, { force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

async function describeSelf(token: string): Promise<Holder> {
  const [boot, pidSpace] = await Promise.all([
    readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => ''),
    readlink('/proc/self/ns/pid').catch(() => ''),
  ]);
  const space = `${boot.trim()} ${pidSpace}`;
  return { token, host: hostname(), space, pid: process.pid, started: await startOf(process.pid) };
}

/** Field 22 of /proc/PID/stat; the name before it may hold spaces and brackets. Empty where there is no /proc. */
async function startOf(pid: number): Promise<string> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  // A killed process that its parent has not fetched yet still has its entry, and holds nothing any more.
  return fields[0] === 'Z' || fields[0] === 'X' ? 'ended' : (fields[19] ?? '');
}

async function readHolder(path: string): Promise<Holder | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  const value = parseHolder(text);
  if (value === undefined)
    throw new StartError(`${path}: not a lock file of dockgate; look at it and remove it`);
  return value;
}

function parseHolder(text: string): Holder | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isHolder(value) ? value : undefined;
  } catch {
    // Not JSON: not ours, which the caller says.
    return undefined;
  }
}

function isHolder(value: unknown): value is Holder {
  if (typeof value !== 'object' || value === null) return false;
  const fields = new Map<string, unknown>(Object.entries(value));
  const texts = ['token', 'host', 'space', 'started'].every((key) => typeof fields.get(key) === 'string');
  return texts && typeof fields.get('pid') === 'number';
}

async function writeNew(path: string, text: string): Promise<void> {
  const handle = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    await handle.chmod(0o600);
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** @returns false when `path` is there already. */
async function tryLink(from: string, path: string): Promise<boolean> {
  try {
    await link(from, path);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}
