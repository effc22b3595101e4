import type { z } from 'zod';
import type { Identity, ShownCertificate } from '../auth/index.ts';
import type { Repository } from '../oci/index.ts';
import type { RepositoryAction, SystemAction } from '../roles/index.ts';
import type { ApiParts } from './parts.ts';

/** What one call is about, for the rights and the record. */
export interface Subject {
  readonly repository?: Repository;
  readonly reference?: string;
  readonly digest?: string;
}

export interface OperationContext {
  readonly parts: ApiParts;
  readonly identity: Identity;
  /** Shown by the client when its connection was made; absent where none was. */
  readonly certificate: ShownCertificate | undefined;
  /** For a call that makes many changes: a record of each, durable when it resolves. */
  readonly recordChange: (change: RecordedChange) => Promise<void>;
}

export interface RecordedChange {
  /** `account.add`, `grant.remove` ... */
  readonly do: string;
  /** `user alice` ... */
  readonly what: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

/**
 * One call of the administration API: its address, who may make it, what goes in and out, and what is recorded. The
 * routes, the OpenAPI document and the tests' matrix of rights all come from the list of these.
 */
export interface Operation<I extends z.ZodType = z.ZodType, O extends z.ZodType = z.ZodType> {
  /** `user.add`: the CLI's words, and `admin.user.add` in the access log. */
  readonly id: string;
  readonly method: 'get' | 'post' | 'put' | 'delete';
  /** `/users/{name}`; its parameters and the query (of a read) or the body (of a write) arrive as one input. */
  readonly path: string;
  readonly summary: string;
  /**
   * `signed-in`: everyone who proved who it is; what is shown is then a matter of the caller's rights. `person`: a
   * user who signed in as one; a token of theirs is not enough, or one that leaked could make others.
   */
  readonly action: SystemAction | RepositoryAction | 'signed-in' | 'person';
  /** Of exactly these members: what it does not name is refused, not passed over (W-05). */
  readonly input: I;
  readonly output: O;
  readonly status: 200 | 201 | 202;
  /** Bytes of the body, where a call takes more than others. */
  readonly bodyBytesMax?: number;
  /**
   * Another way to the right, for who lacks `action`: rights that depend on the input as a whole.
   * @returns what is missing, as a sentence; `undefined` when the call is allowed.
   */
  readonly orElse?: (input: z.infer<I>, context: OperationContext) => Promise<string | undefined>;
  /** Checked against `action`; needed for repository actions. */
  readonly subject?: (input: z.infer<I>) => Subject;
  /** What the record says has changed; never a secret. */
  readonly change?: (input: z.infer<I>) => unknown;
  /** What there is before the change, for the record; `undefined`: nothing of it. */
  readonly before?: (input: z.infer<I>, context: OperationContext) => Promise<unknown>;
  /** What the record says was asked, where that is no change: a search of the access log is itself of interest. */
  readonly note?: (input: z.infer<I>) => string;
  /**
   * @throws {ApiProblem} the input refers to what is not there, or breaks a rule.
   */
  readonly run: (input: z.infer<I>, context: OperationContext) => Promise<z.infer<O>>;
}

/** Keeps the types of one operation together while it is written. */
export function operation<I extends z.ZodType, O extends z.ZodType>(value: Operation<I, O>): Operation {
  // Variance: every operation is called with what its own `input` has parsed.
  return value as unknown as Operation;
}

/** A "no" of the API with its status. */
export class ApiProblem extends Error {
  override readonly name = 'ApiProblem';
  readonly status: 400 | 401 | 403 | 404 | 409 | 415 | 429;
  readonly code: `DG_${string}`;
  /** Extra answer headers, such as Retry-After. */
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: ApiProblem['status'],
    code: ApiProblem['code'],
    message: string,
    headers: ApiProblem['headers'] = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

/** @param message of a refusal by `traffic/`, which is written for clients that print it as their own. */
export function tooMuch(message: string, headers: ApiProblem['headers'] = {}): ApiProblem {
  return new ApiProblem(429, 'DG_TOO_MUCH', message.replace(/^dockgate: /, ''), headers);
}

/** From when on a credential counts again: what was proved in this very millisecond is of before the change. */
export function afterNow({ parts }: Pick<OperationContext, 'parts'>): number {
  return parts.clock.nowMs() + 1;
}
