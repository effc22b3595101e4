import type { ChildProcess } from 'node:child_process';

/** Ends a child that was started `detached`, and all that it started and left behind. */
export function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // Nobody of the group is left, as it should be.
  }
}

/** Ends the groups of the children in `running` when this process is asked to end. */
export function endWith(running: ReadonlySet<ChildProcess>): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      for (const child of running) killGroup(child);
      process.exit(1);
    });
  }
}
