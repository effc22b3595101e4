import { readFile } from 'node:fs/promises';
import { isErrorWithCode } from '../base/index.ts';

/**
 * Names a process of this machine so that another can tell whether it still lives: `<pid>.<start>`. A restarted
 * container gives the same numbers to its processes again, so the number alone would keep a dead one's work locked;
 * the start is the kernel's, in clock ticks since boot, and 0 where there is no /proc.
 */
export async function ownProcess(): Promise<string> {
  return `${process.pid}.${(await startOf(process.pid)) ?? 0}`;
}

/** Whether the process that gave itself this name still runs. A malformed name is nobody's. */
export async function isAlive(name: string): Promise<boolean> {
  const match = /^(\d{1,10})\.(\d{1,20})$/.exec(name);
  const pid = Number(match?.[1] ?? 0);
  if (!pid || !isRunning(pid)) return false;
  const start = await startOf(pid);
  return start === undefined || start === match?.[2];
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return isErrorWithCode(error, 'EPERM');
  }
}

/** @returns `undefined` where the kernel does not say; `'ended'` for one that only waits to be reaped. */
async function startOf(pid: number): Promise<string | undefined> {
  const line = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => undefined);
  if (line === undefined) return undefined;
  // The second field is the program's name, which may hold anything; proc_pid_stat(5): 3 is the state, 22 the start.
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? 'ended' : fields[19];
}
