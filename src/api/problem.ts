import type { z } from 'zod';
import { errorBody, Fault, type OciCode } from '../oci/index.ts';
import { ApiProblem } from './operation.ts';

/** A "no" of the API, ready to be sent. */
export interface Problem {
  readonly status: number;
  /** `DG_…`: stable and searchable. */
  readonly code: string;
  /** For the person who asked; names no secret and no cause from inside. */
  readonly message: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** The answer to whatever an operation throws; the cause of what nobody foresaw stays inside. */
export function problemOf(error: unknown): Problem {
  if (error instanceof ApiProblem) {
    const { status, code, message, headers } = error;
    return { status, code, message, headers };
  }
  if (error instanceof Fault) return problemOfFault(error);
  return { status: 500, code: 'DG_BUG', message: 'internal error, see the request id', headers: {} };
}

function problemOfFault({ code, status, message, headers }: Fault): Problem {
  // A name that is taken, the last admin, a group that is not there: the store's rules, told to the admin.
  if (code === 'DG_STORE_CONFLICT' && status === 404)
    return { status, code: 'DG_NAME_UNKNOWN', message, headers };
  if (code === 'DG_STORE_CONFLICT' && status === 403) return { status, code: 'DG_DENIED', message, headers };
  const retry: Record<string, string> = status === 503 ? { 'retry-after': '2' } : {};
  return { status, code, message, headers: { ...retry, ...headers } };
}

/** body-parser marks its errors with a `type` and a status. @returns `undefined` for every other error. */
export function bodyProblemOf(error: unknown): Problem | undefined {
  if (typeof error !== 'object' || error === null || !('type' in error) || !('status' in error))
    return undefined;
  const { status } = error;
  if (typeof status !== 'number' || status < 400 || status >= 500) return undefined;
  return { status, code: 'DG_BODY_INVALID', message: BODY_MESSAGES[status] ?? UNREADABLE, headers: {} };
}

const UNREADABLE = 'the body cannot be read: send one JSON object';
const BODY_MESSAGES: Readonly<Record<number, string>> = {
  413: 'the body is too large',
  415: 'the body has an encoding or character set that is not accepted: send UTF-8',
};

/** What is wrong with an input, by its members. */
export function inputProblem(error: z.ZodError): ApiProblem {
  const text = error.issues
    .slice(0, 5)
    .map(({ path, message }) => (path.length === 0 ? message : `${path.join('.')}: ${message}`))
    .join('; ');
  return new ApiProblem(400, 'DG_INPUT_INVALID', text.slice(0, 1000));
}

/** The body of a "no": of the token endpoint in the form that container clients print, else the API's own. */
export function printProblem(path: string, { code, message, status }: Problem): string {
  if (path === '/token') return errorBody({ code: ociCodeOf(status), message: `dockgate: ${message}` });
  return JSON.stringify({ error: { code, message } });
}

function ociCodeOf(status: number): OciCode {
  if (status === 503) return 'UNAVAILABLE';
  return status >= 500 ? 'UNKNOWN' : 'UNSUPPORTED';
}
