/**
 * The codes of the distribution-spec's table, and three of ours: IMAGE_BLOCKED (policy), UNAVAILABLE (something
 * we need is away), UNKNOWN (a bug). A client prints the message of any code, known to it or not.
 */
const STATUS = {
  BLOB_UNKNOWN: 404,
  BLOB_UPLOAD_INVALID: 400,
  BLOB_UPLOAD_UNKNOWN: 404,
  DENIED: 403,
  DIGEST_INVALID: 400,
  IMAGE_BLOCKED: 403,
  MANIFEST_BLOB_UNKNOWN: 404,
  MANIFEST_INVALID: 400,
  MANIFEST_UNKNOWN: 404,
  NAME_INVALID: 400,
  NAME_UNKNOWN: 404,
  SIZE_INVALID: 400,
  TOOMANYREQUESTS: 429,
  UNAUTHORIZED: 401,
  UNAVAILABLE: 503,
  UNKNOWN: 500,
  UNSUPPORTED: 405,
} as const satisfies Readonly<Record<string, number>>;

export type OciCode = keyof typeof STATUS;

export function statusOf(code: OciCode): number {
  return STATUS[code];
}

/** The "no" of one request: a value, not an exception. */
export interface Refusal {
  readonly code: OciCode;
  readonly status: number;
  /** For the person at the terminal: ASCII, at most 300 characters, no secret, host or query. */
  readonly message: string;
  /** Machine-readable particulars, printed as `detail`. */
  readonly detail?: unknown;
  /** Extra answer headers, such as Retry-After. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface RefusalOptions {
  /** Where the answer's status differs from the table: 413 and 416 share codes with 400. */
  readonly status?: number;
  readonly detail?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export function refuse(code: OciCode, message: string, options: RefusalOptions = {}): Refusal {
  return {
    code,
    status: options.status ?? STATUS[code],
    message,
    ...(options.detail === undefined ? {} : { detail: options.detail }),
    ...(options.headers === undefined ? {} : { headers: options.headers }),
  };
}

/** Tells a refusal from what a function returns when it succeeds. */
export function isRefusal(value: unknown): value is Refusal {
  const isObject = typeof value === 'object' && value !== null && !(value instanceof Error);
  return isObject && 'code' in value && 'status' in value && 'message' in value;
}

/** The body of an error answer: exactly one entry, since clients print the first only. */
export function errorBody(refusal: Pick<Refusal, 'code' | 'message' | 'detail'>): string {
  const entry = { code: refusal.code, message: refusal.message, detail: refusal.detail ?? null };
  return JSON.stringify({ errors: [entry] });
}

/** A message as clients can print it: ASCII without control characters, at most `lengthMax` characters. */
export function plainMessage(text: string, lengthMax = 300): string {
  const ascii = text.replace(/[^\x20-\x7e]/g, '?');
  return ascii.length <= lengthMax ? ascii : `${ascii.slice(0, lengthMax - 3)}...`;
}

/**
 * Something we need broke, so the request fails closed. The `DG_` code is stable and searchable; the message is
 * for the person at the terminal; the cause goes to the operational log only.
 */
export class Fault extends Error {
  override readonly name: string = 'Fault';
  readonly code: string;
  readonly ociCode: OciCode;
  readonly status: number;
  /** Extra answer headers, such as Retry-After. */
  readonly headers: Readonly<Record<string, string>>;

  /** @param answer where the answer's status differs from the table (502), and its extra headers. */
  constructor(
    code: `DG_${string}`,
    ociCode: OciCode,
    message: string,
    cause?: unknown,
    answer: Pick<RefusalOptions, 'status' | 'headers'> = {},
  ) {
    super(message, { cause });
    this.code = code;
    this.ociCode = ociCode;
    this.status = answer.status ?? STATUS[ociCode];
    this.headers = answer.headers ?? {};
  }
}
