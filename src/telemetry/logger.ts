import { type DestinationStream, destination, pino, stdTimeFunctions } from 'pino';
import type { LogFields, Logger } from '../base/index.ts';
import { LOGGED_FIELDS } from './fields.ts';

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

/** The operational log: one JSON line a message. */
export function createLogger(options: LoggerOptions): Logger {
  const log = pino(
    {
      level: options.level ?? 'info',
      base: { process: options.process },
      messageKey: 'message',
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
    },
    // Not waiting for a reader of standard error that hangs: it must not stop the gateway.
    options.output ?? destination({ dest: 2, sync: false }),
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
