import type { ChildProcess } from 'node:child_process';
import type { Logger } from '../base/index.ts';
import type { DrainMessage, StopMessage, TrustMessage } from './messages.ts';

const BACKOFF_MS_MIN = 50;
const BACKOFF_MS_MAX = 5000;

export interface Supervised {
  /** Starts the process and keeps one running until `stop`. Resolves when the first one is ready. */
  start(): Promise<void>;
  /** Sends the process a message, where there is one that listens. */
  tell(message: DrainMessage | TrustMessage): void;
  /** Asks the process to end and waits for it; kills it after `graceMs`. */
  stop(graceMs: number): Promise<void>;
}

export interface SupervisedOptions {
  readonly name: string;
  /** Starts one; `ready` is called when it can work. */
  readonly spawn: () => { readonly child: ChildProcess; readonly ready: Promise<void> };
}

/**
 * Keeps one process running: a new one at once when it ends, later each time while it ends before it is ready
 * (threat F-26). The first start must succeed; what fails it fails the caller, and nothing is started again.
 */
export function supervise(options: SupervisedOptions, parts: { readonly logger: Logger }): Supervised {
  let current: ChildProcess | undefined;
  let hasStarted = false;
  let isStopping = false;
  let backoffMs = BACKOFF_MS_MIN;

  const run = async (): Promise<void> => {
    const { child, ready } = options.spawn();
    current = child;
    const startAgain = (fields: Readonly<Record<string, unknown>>): void => {
      if (isStopping || !hasStarted) return;
      parts.logger.error(`${options.name} ended and is started again`, { ...fields, restartMs: backoffMs });
      setTimeout(runAgain, backoffMs);
      backoffMs = Math.min(backoffMs * 2, BACKOFF_MS_MAX);
    };
    child.once('exit', (code, signal) => startAgain({ code, signal }));
    // Without a listener it would end the primary, and with it everything. A process that could not even be made
    // (no memory, no more processes) has no exit; any other that fails to take a message has one when it ends.
    child.on('error', (error) => {
      if (child.pid === undefined) startAgain({ note: error.message });
      else parts.logger.warn(`${options.name} could not be told something`, { note: error.message });
    });
    await ready;
    if (hasStarted) parts.logger.info(`${options.name} works again`);
    hasStarted = true;
    backoffMs = BACKOFF_MS_MIN;
  };

  const runAgain = (): void => {
    if (isStopping) return;
    run().catch((error: unknown) => {
      const note = error instanceof Error ? error.message : String(error);
      parts.logger.error(`${options.name} could not be started again`, { note });
    });
  };

  return {
    start: run,
    tell(message) {
      // One that is just ending needs no telling.
      if (current?.connected) current.send(message, () => {});
    },
    async stop(graceMs) {
      isStopping = true;
      const child = current;
      if (!child || child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      tellToStop(child);
      const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
      await ended;
      clearTimeout(timer);
    },
  };
}

/** A child whose channel is closed ends by itself. */
function tellToStop(child: ChildProcess): void {
  const message: StopMessage = { kind: 'stop' };
  // What it answers to is its end, or the end of the caller's patience.
  if (child.connected) child.send(message, () => {});
}
