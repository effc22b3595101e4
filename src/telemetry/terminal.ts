import type { DestinationStream } from 'pino';

/** Printed elsewhere on the line, or not for a person. */
const PLACED: ReadonlySet<string> = new Set(['level', 'time', 'process', 'message', 'cause']);

/**
 * Prints the log for a person at a terminal, one line a message: `13:03:35 warn  house  message (path=/data)`. Programs
 * that read standard error get JSON.
 */
export function terminalOutput(write: (text: string) => void): DestinationStream {
  return { write: (line) => write(`${printForPerson(line)}\n`) };
}

function printForPerson(line: string): string {
  const entry: Record<string, unknown> = JSON.parse(line);
  const clock = String(entry.time).slice(11, 19);
  const fields = Object.entries(entry)
    .filter(([name]) => !PLACED.has(name))
    .map(([name, value]) => `${name}=${value}`);
  const about = fields.length === 0 ? '' : ` (${fields.join(', ')})`;
  const causes = Array.isArray(entry.cause) ? entry.cause.map(printCause) : [];
  const head = `${clock} ${String(entry.level).padEnd(5)} ${String(entry.process)}: ${entry.message}${about}`;
  return harmless([head, ...causes].join('\n'));
}

/** The stack begins with the error's name and message. */
function printCause(cause: { readonly message?: unknown; readonly stack?: unknown }): string {
  return `  because of ${cause.stack || cause.message}`;
}

/** Text from outside must not move the cursor or colour the screen. */
function harmless(text: string): string {
  return text.replace(/[^\P{C}\n]/gu, '?');
}
