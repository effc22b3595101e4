import { StartError } from '../base/index.ts';
import type { FirstAdmin } from './first-admin.ts';
import { onStopMessage, type StartMessage, startMessage, tellPrimary } from './messages.ts';

/**
 * The life of a child process: it waits for its start message, opens, says that it is ready, and when it is told to
 * stop closes what it opened in reverse. When the primary is gone it ends too.
 *
 * @param open puts what must be closed on the stack; what it returns is told to the primary.
 */
export async function runChild(
  open: (
    start: StartMessage,
    closing: AsyncDisposableStack,
  ) => Promise<{ readonly firstAdmin?: FirstAdmin | undefined }>,
): Promise<void> {
  const closing = new AsyncDisposableStack();
  let isEnding = false;
  const end = (): void => {
    // Told to stop, and then the primary is gone: now.
    if (isEnding) process.exit(1);
    isEnding = true;
    closing.disposeAsync().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  onStopMessage(end);
  // A terminal sends Ctrl-C to the whole group, and systemd SIGTERM; the primary decides when its children end.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {});
  process.on('disconnect', end);
  try {
    const opened = await open(await startMessage(), closing);
    tellPrimary({ kind: 'ready', ...opened });
  } catch (error) {
    const text =
      error instanceof StartError ? error.message : String(error instanceof Error ? error.stack : error);
    tellPrimary({ kind: 'failed', message: text });
    await closing.disposeAsync().catch(() => {});
    process.exit(1);
  }
}
