import type { Request, Response } from 'express';
import type { AuditEntry } from '../audit/index.ts';
import type { Identity } from '../auth/index.ts';
import type { RepositoryAction, SystemAction } from '../roles/index.ts';
import { type Identify, peerAddress } from './identify.ts';
import { ApiProblem, type Operation, type Subject } from './operation.ts';
import type { ApiParts } from './parts.ts';
import { inputProblem, problemOf } from './problem.ts';

interface Exchange {
  readonly request: Request;
  readonly response: Response;
  readonly parts: ApiParts;
  readonly identify: Identify;
}

/**
 * Identify, check the input, check the rights, record, run, answer: the same way for every operation. What is refused
 * is recorded before its answer, what is allowed before it happens.
 */
export async function runOperation(operation: Operation, exchange: Exchange): Promise<void> {
  const { request, response, parts } = exchange;
  const identified = await exchange.identify(request);
  if (!identified.ok) {
    if (identified.retryAfter) response.set('retry-after', identified.retryAfter);
    if (identified.problem.status === 401) response.set('www-authenticate', 'Basic realm="dockgate"');
    await refuse(operation, exchange, undefined, {}, identified.problem, identified.reason);
    return;
  }
  const { identity } = identified;
  const parsed = operation.input.safeParse({
    ...objectOf(request.body),
    ...request.query,
    ...request.params,
  });
  if (!parsed.success) {
    await refuse(operation, exchange, identity, {}, inputProblem(parsed.error), 'input.invalid');
    return;
  }
  let subject: Subject = {};
  try {
    subject = operation.subject?.(parsed.data) ?? {};
    await requireRight(operation, identity, subject, parts);
    const entry = entryOf(operation, exchange, identity, subject, 'allowed', operation.status);
    const change = operation.change?.(parsed.data);
    await parts.audit.record(change === undefined ? entry : { ...entry, change: { after: change } });
    const result = await operation.run(parsed.data, { parts, identity });
    response.status(operation.status).json(operation.output.parse(result));
  } catch (error) {
    const problem = problemOf(error);
    if (problem.status >= 500) throw error;
    await refuse(operation, exchange, identity, subject, error, problem.body.error.code);
  }
}

async function requireRight(
  operation: Operation,
  identity: Identity,
  subject: Subject,
  parts: ApiParts,
): Promise<void> {
  if (operation.action === 'signed-in') return;
  const action: SystemAction | RepositoryAction = operation.action;
  const answer = await parts.directory.can(identity, action, subject.repository);
  if (answer.isAllowed) return;
  const where = subject.repository ? ` on ${subject.repository}` : '';
  throw new ApiProblem(403, 'DG_DENIED', `${identity.principal.name} has no grant for ${action}${where}`);
}

async function refuse(
  operation: Operation,
  exchange: Exchange,
  identity: Identity | undefined,
  subject: Subject,
  error: unknown,
  reason: string,
): Promise<void> {
  const problem = problemOf(error);
  const entry = { ...entryOf(operation, exchange, identity, subject, 'refused', problem.status), reason };
  // A call without a credential is only asked for one: recorded, not waited for.
  if (identity === undefined && exchange.request.headers.authorization === undefined)
    exchange.parts.audit.note(entry);
  else await exchange.parts.audit.record(entry);
  exchange.response.status(problem.status).json(problem.body);
}

function entryOf(
  operation: Operation,
  { request, response }: Exchange,
  identity: Identity | undefined,
  subject: Subject,
  outcome: AuditEntry['outcome'],
  status: number,
): AuditEntry {
  const userAgent = request.headers['user-agent'];
  return {
    kind: 'decision',
    requestId: response.locals.requestId,
    action: `admin.${operation.id}`,
    outcome,
    status,
    method: request.method,
    ...(identity ? { principal: { ...principalOf(identity) } } : {}),
    client: { address: peerAddress(request), ...(userAgent === undefined ? {} : { userAgent }) },
    ...subject,
  };
}

function principalOf({ principal, via, tokenId }: Identity): NonNullable<AuditEntry['principal']> {
  return {
    kind: principal.kind,
    id: principal.id,
    name: principal.name,
    via,
    ...(tokenId ? { tokenId } : {}),
  };
}

function objectOf(body: unknown): object {
  return typeof body === 'object' && body !== null && !Array.isArray(body) ? body : {};
}
