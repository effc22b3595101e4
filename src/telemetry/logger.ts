import { type DestinationStream, destination, pino, stdTimeFunctions } from 'pino';
import type { LogFields, Logger } from '../base/index.ts';
import { LOGGED_FIELDS } from './fields.ts';
import { terminalOutput } from './terminal.ts';

export interface LoggerOptions {
  /** Which process of the node speaks: `primary`, `house`, `w1`. */
  readonly process: string;
  /** Lines below it are not printed; `info` unless told. */
  readonly level?: 'debug' | 'info' | 'warn' | 'error';
  /** Standard error unless told. */
  readonly output?: DestinationStream;
}

const TEXT_LENGTH_MAX = 1000;
const CAUSES_MAX = 5;

/** The operational log: one JSON line a message; plain text where standard error is a terminal. */
export function createLogger(options: LoggerOptions): Logger {
  const log = pino(
    {
      level: options.level ?? 'info',
      base: { process: options.process },
      messageKey: 'message',
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
    },
    options.output ?? standardError(),
  );
  return {
    debug: (message, fields) => log.debug(listed(fields), clipped(message)),
    info: (message, fields) => log.info(listed(fields), clipped(message)),
    warn: (message, fields) => log.warn(listed(fields), clipped(message)),
    error: (message, fields, cause) =>
      log.error(
        { ...listed(fields), ...(cause === undefined ? {} : { cause: causes(cause) }) },
        clipped(message),
      ),
  };
}

function standardError(): DestinationStream {
  if (process.stderr.isTTY) return terminalOutput((text) => process.stderr.write(text));
  // Not waiting for a reader that hangs: it must not stop the gateway.
  return destination({ dest: 2, sync: false });
}

function listed(fields: LogFields = {}): LogFields {
  const entries = Object.entries(fields).map(([name, value]): [string, LogFields[string]] => {
    if (!LOGGED_FIELDS.has(name)) return [name, '[hidden]'];
    return [name, typeof value === 'string' ? clipped(value) : value];
  });
  return Object.fromEntries(entries);
}

/** An error and what caused it, outermost first. */
function causes(error: unknown): readonly object[] {
  const all: object[] = [];
  let at: unknown = error;
  while (at !== undefined && at !== null && all.length < CAUSES_MAX) {
    all.push(at instanceof Error ? printed(at) : { message: clipped(String(at)) });
    at = at instanceof Error ? at.cause : undefined;
  }
  return all;
}

function printed(error: Error): object {
  const code = 'code' in error && typeof error.code === 'string' ? { code: error.code } : {};
  return { name: error.name, message: clipped(error.message), ...code, stack: error.stack ?? '' };
}

function clipped(text: string): string {
  return text.length <= TEXT_LENGTH_MAX ? text : `${text.slice(0, TEXT_LENGTH_MAX)}...`;
}
