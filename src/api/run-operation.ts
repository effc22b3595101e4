import { certificateOf, type Identity } from '../auth/index.ts';
import type { Identify } from './identify.ts';
import { ApiProblem, type Operation, type OperationContext, type Subject, tooMuch } from './operation.ts';
import type { ApiParts } from './parts.ts';
import { inputProblem, problemOf } from './problem.ts';
import { type Exchange, entryOf } from './record.ts';
import { failRequest, refuseRequest } from './refuse-request.ts';

export interface OperationExchange extends Exchange {
  readonly parts: ApiParts;
  readonly identify: Identify;
}

/**
 * Identify, check the input, check the rights, record, run, answer: the same way for every operation. What is refused
 * is recorded before its answer, what is allowed before it happens.
 */
export async function runOperation(operation: Operation, exchange: OperationExchange): Promise<void> {
  const action = `admin.${operation.id}`;
  try {
    const identified = await exchange.identify(exchange.request);
    if (identified.ok) await runAs(operation, identified.identity, exchange);
    else await refuseRequest(exchange, problemOf(identified.problem), { action, ...factsOf(identified) });
  } catch (error) {
    await failRequest(exchange, error, { action });
  }
}

function factsOf({ reason, note }: { readonly reason: string; readonly note?: string }) {
  return { reason, ...(note === undefined ? {} : { note }) };
}

async function runAs(operation: Operation, identity: Identity, exchange: OperationExchange): Promise<void> {
  const { response, parts } = exchange;
  const facts: { action: string; identity: Identity; subject: Subject } = {
    action: `admin.${operation.id}`,
    identity,
    subject: {},
  };
  try {
    const greedy = parts.traffic.claim(response, identity.principal);
    if (greedy) {
      const problem = problemOf(tooMuch(greedy.refusal.message, greedy.refusal.headers));
      return await refuseRequest(exchange, problem, { ...facts, reason: greedy.reason });
    }
    const input = parseInput(operation, exchange);
    facts.subject = operation.subject?.(input) ?? {};
    const context: OperationContext = {
      ...{ parts, identity, certificate: certificateOf(exchange.request.socket) },
      async recordChange({ do: verb, what, before, after }) {
        const allowed = { ...facts, outcome: 'allowed', status: operation.status } as const;
        await parts.audit.record(
          entryOf(exchange, { ...allowed, note: `${verb} ${what}`, before, change: after }),
        );
      },
    };
    await requireRight(operation, { input, subject: facts.subject }, context);
    const change = operation.change?.(input);
    const before = await operation.before?.(input, context);
    const note = operation.note?.(input);
    await parts.audit.record(
      entryOf(exchange, {
        ...facts,
        outcome: 'allowed',
        status: operation.status,
        ...(before === undefined ? {} : { before }),
        ...(change === undefined ? {} : { change }),
        ...(note === undefined ? {} : { note }),
      }),
      { isAdministrator: await isAdministrator(context) },
    );
    const result = await operation.run(input, context);
    response.status(operation.status).json(operation.output.parse(result));
  } catch (error) {
    const problem = problemOf(error);
    if (problem.status >= 500) return failRequest(exchange, error, facts);
    await refuseRequest(exchange, problem, { ...facts, reason: problem.code });
  }
}

/** On a full disk those who can make room are let in, and nobody else. */
async function isAdministrator({ identity, parts }: OperationContext): Promise<boolean> {
  return (
    identity.via === 'socket' || (await parts.directory.can(identity, 'users.manage', undefined)).isAllowed
  );
}

/**
 * Members come from the path, and beside them from the query of a read or the body of a write; nothing is taken from
 * the other place. A password in a query would end in every log on its way.
 *
 * @throws {ApiProblem} a member is malformed, missing, unknown or given twice.
 */
function parseInput(operation: Operation, { request }: OperationExchange): unknown {
  const isRead = operation.method === 'get' || operation.method === 'delete';
  const [given, other] = isRead ? [request.query, request.body] : [request.body ?? {}, request.query];
  if (!isPlainObject(given)) throw invalid('the body must be one JSON object');
  if (other !== undefined && !(isPlainObject(other) && Object.keys(other).length === 0)) {
    throw invalid(
      isRead ? 'this call takes no body' : 'this call takes its input in the body, not in the query',
    );
  }
  const twice = Object.keys(request.params).find((name) => Object.hasOwn(given, name));
  if (twice !== undefined) throw invalid(`${twice}: is given by the address already`);
  const parsed = operation.input.safeParse({ ...given, ...request.params });
  if (!parsed.success) throw inputProblem(parsed.error);
  return parsed.data;
}

/** The ways to prove a person itself. */
const PERSONAL: readonly Identity['via'][] = ['basic', 'refresh-token'];

function invalid(message: string): ApiProblem {
  return new ApiProblem(400, 'DG_INPUT_INVALID', message);
}

function isPlainObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

async function requireRight(
  { action, orElse }: Operation,
  { input, subject: { repository } }: { readonly input: unknown; readonly subject: Subject },
  context: OperationContext,
): Promise<void> {
  if (action === 'signed-in') return;
  const { parts, identity } = context;
  if (action === 'person') return requirePerson(identity);
  const answer = await parts.directory.can(identity, action, repository);
  if (answer.isAllowed) return;
  if (orElse) {
    const lacks = await orElse(input, context);
    if (lacks === undefined) return;
    throw new ApiProblem(403, 'DG_DENIED', lacks);
  }
  const where = repository === undefined ? '' : ` on ${repository}`;
  throw new ApiProblem(403, 'DG_DENIED', `${identity.principal.name} has no grant for ${action}${where}`);
}

function requirePerson({ principal, via }: Identity): void {
  if (principal.kind === 'user' && PERSONAL.includes(via)) return;
  const message = 'only a person may do this, signed in with the password: dockgate login';
  throw new ApiProblem(403, 'DG_DENIED', message);
}
