/** Fields printed beside a message. Never a secret, a token or a header taken from a request. */
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** The operational log (not the access log, which is `audit/`). */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  /** @param cause an error whose stack goes to the operational log and nowhere else. */
  error(message: string, fields?: LogFields, cause?: unknown): void;
}

export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };
