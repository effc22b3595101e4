import { type Problem, printProblem, problemOf } from './problem.ts';
import { type Exchange, entryOf, type RecordFacts } from './record.ts';

export type RefusalFacts = Omit<RecordFacts, 'outcome' | 'status'>;

/**
 * Records a "no", then says it. What shows no credential is recorded and not waited for; whatever does is durable
 * first, and when that fails the answer is 503 instead.
 */
export async function refuseRequest(
  exchange: Exchange,
  problem: Problem,
  facts: RefusalFacts,
): Promise<void> {
  const { request, parts } = exchange;
  const entry = entryOf(exchange, { ...facts, outcome: 'refused', status: problem.status });
  if (request.headers.authorization === undefined && facts.identity === undefined) {
    parts.audit.note(entry);
    return sendProblem(exchange, problem);
  }
  try {
    await parts.audit.record(entry);
  } catch (error) {
    return sendProblem(exchange, problemOf(error));
  }
  sendProblem(exchange, problem);
}

/** What broke is for the operational log; the caller learns that it broke. */
export async function failRequest(exchange: Exchange, error: unknown, facts: RefusalFacts): Promise<void> {
  const { requestId } = exchange.response.locals;
  exchange.parts.logger.error('a call of the API failed', { requestId, action: facts.action }, error);
  const problem = problemOf(error);
  // The log itself is what failed: there is nothing to write to, and nothing is served.
  if (problem.code === 'DG_AUDIT_UNAVAILABLE') return sendProblem(exchange, problem);
  await refuseRequest(exchange, problem, { ...facts, reason: `fault.${problem.code}` });
}

export function sendProblem(
  { request, response }: Pick<Exchange, 'request' | 'response'>,
  problem: Problem,
): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  response.set({ ...problem.headers });
  response.status(problem.status).type('application/json').send(printProblem(request.path, problem));
}
