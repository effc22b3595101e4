import type { z } from 'zod';
import { Fault } from '../oci/index.ts';
import { ApiProblem } from './operation.ts';

/** The body of every error of the API. */
export interface ProblemBody {
  readonly error: { readonly code: string; readonly message: string };
}

/** The answer to whatever an operation throws; the cause of what nobody foresaw stays inside. */
export function problemOf(error: unknown): { readonly status: number; readonly body: ProblemBody } {
  if (error instanceof ApiProblem) return problem(error.status, error.code, error.message);
  if (error instanceof Fault) {
    // A name that is taken, the last admin: the store's rules, told to the admin.
    if (error.code === 'DG_STORE_CONFLICT') return problem(409, error.code, error.message);
    return problem(error.status, error.code, error.message);
  }
  return problem(500, 'DG_BUG', 'internal error, see the request id');
}

function problem(status: number, code: string, message: string): { status: number; body: ProblemBody } {
  return { status, body: { error: { code, message } } };
}

/** What is wrong with an input, by its members. */
export function inputProblem(error: z.ZodError): ApiProblem {
  const text = error.issues
    .slice(0, 5)
    .map((issue) => `${issue.path.join('.') || 'input'}: ${issue.message}`)
    .join('; ');
  return new ApiProblem(400, 'DG_INPUT_INVALID', text);
}
