import type { ChildProcess } from 'node:child_process';
import type { Clock, Logger } from '../base/index.ts';

const BACKOFF_MS_MIN = 50;
const BACKOFF_MS_MAX = 5000;
/** A process that lived this long has recovered: its next end is the first again. */
const HEALTHY_MS = 30_000;

export interface Supervised {
  /** Starts the process and keeps one running until `stop`. Resolves when the first one is ready. */
  start(): Promise<void>;
  /** Asks the process to end and waits for it; kills it after `graceMs`. */
  stop(graceMs: number): Promise<void>;
}

export interface SupervisedOptions {
  readonly name: string;
  /** Starts one; `ready` is called when it can work. */
  readonly spawn: () => { readonly child: ChildProcess; readonly ready: Promise<void> };
}

/**
 * Keeps one process running: a new one at once when it ends, later each time while it keeps ending (threat F-26).
 * The first start must succeed; what fails it fails the caller.
 */
export function supervise(
  options: SupervisedOptions,
  parts: { readonly clock: Clock; readonly logger: Logger },
): Supervised {
  let current: ChildProcess | undefined;
  let isStopping = false;
  let backoffMs = BACKOFF_MS_MIN;

  const run = async (): Promise<void> => {
    const startedAtMs = parts.clock.monotonicMs();
    const { child, ready } = options.spawn();
    current = child;
    child.once('exit', (code, signal) => {
      if (isStopping) return;
      const livedMs = parts.clock.monotonicMs() - startedAtMs;
      backoffMs = livedMs > HEALTHY_MS ? BACKOFF_MS_MIN : Math.min(backoffMs * 2, BACKOFF_MS_MAX);
      const fields = { process: options.name, code, signal, restartMs: backoffMs };
      parts.logger.error(`${options.name} ended and is started again`, fields);
      setTimeout(() => void run().catch(() => {}), backoffMs);
    });
    await ready;
  };

  return {
    start: run,
    async stop(graceMs) {
      isStopping = true;
      const child = current;
      if (!child || child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
      await ended;
      clearTimeout(timer);
    },
  };
}
