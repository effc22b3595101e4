import { Fault, isRefusal, type Refusal, refuse } from '../oci/index.ts';
import { type Answer, refusalAnswer } from './answer.ts';
import { type Exchange, entryOf } from './exchange.ts';
import type { GatewayParts } from './parts.ts';
import type { Plan } from './plan.ts';
import { respond } from './respond.ts';

type Parts = Pick<GatewayParts, 'audit' | 'clock' | 'logger' | 'directory'>;

/**
 * Records a decision, then acts: one `decision` for each request, durable before the first byte leaves and before
 * anything changes. Where it turns out otherwise, a `completion` of the same request says how.
 */
export async function carryOut(exchange: Exchange, plan: Plan, parts: Parts): Promise<void> {
  exchange.facts = plan.facts;
  if (!plan.isAllowed) return refuseCall(exchange, plan, parts);
  // A crash must never leave a pull or a push that no record explains.
  const options = { isAdministrator: await makesRoom(exchange, parts) };
  await parts.audit.record(entryOf(exchange, 'decision', 'allowed', plan.status), options);
  exchange.isRecorded = true;
  const done = await plan.act();
  const answer = isRefusal(done) ? refusalAnswer(done) : done;
  if (answer.status !== plan.status) {
    const reason = isRefusal(done) ? `outcome.${done.code.toLowerCase()}` : 'outcome.other';
    const outcome = isRefusal(done) ? 'refused' : 'allowed';
    await parts.audit.record({ ...entryOf(exchange, 'completion', outcome, answer.status), reason });
  }
  await send(exchange, answer, parts);
}

/** On a full disk an administrator may still delete, and nobody else does anything. */
async function makesRoom({ facts, identity }: Exchange, { directory }: Parts): Promise<boolean> {
  if (facts.action !== 'delete' || identity === undefined) return false;
  return (await directory.can(identity, 'users.manage', undefined)).isAllowed;
}

async function refuseCall(
  exchange: Exchange,
  { refusal, isUnread }: Extract<Plan, { isAllowed: false }>,
  parts: Parts,
): Promise<void> {
  const entry = entryOf(exchange, 'decision', 'refused', refusal.status);
  // An answer that only asks for a credential, or rejects what is no request, is not waited for: a flood of those
  // must not fill the disk.
  if (isUnread || exchange.request.headers.authorization === undefined) parts.audit.note(entry);
  else await parts.audit.record(entry);
  exchange.isRecorded = true;
  await send(exchange, refusalAnswer(refusal), parts);
}

async function send(exchange: Exchange, answer: Answer, parts: Parts): Promise<void> {
  const sent = await respond(exchange, answer);
  if (!sent.isTransfer) return;
  parts.audit.complete({
    ...entryOf(exchange, 'completion', 'allowed', answer.status),
    bytes: sent.bytes,
    durationMs: Math.round(parts.clock.monotonicMs() - exchange.startedAtMs),
    isAborted: sent.isAborted,
  });
}

/** Something broke: the request is refused with what the fault says to people, the cause goes to the operational log. */
export async function failClosed(exchange: Exchange, error: unknown, parts: Parts): Promise<void> {
  const { response } = exchange;
  const refusal = refusalOf(error);
  const code = error instanceof Fault ? error.code : 'DG_BUG';
  const fields = { requestId: exchange.id, code };
  if (error instanceof Fault) parts.logger.warn(`request failed: ${error.message}`, fields);
  else parts.logger.error('request failed for a reason nobody foresaw', fields, error);
  try {
    if (code !== 'DG_AUDIT_UNAVAILABLE') {
      const kind = exchange.isRecorded ? 'completion' : 'decision';
      // Who has gone gets no answer, and is recorded nevertheless.
      const status = response.destroyed ? 0 : refusal.status;
      await parts.audit.record({ ...entryOf(exchange, kind, 'refused', status), reason: `fault.${code}` });
    }
  } catch {
    // The log is away as well: the answer below says that it failed and serves nothing, which is all that may be
    // said unrecorded.
  }
  // What has begun cannot be taken back; it must not look whole.
  if (response.headersSent) response.destroy();
  else await respond(exchange, refusalAnswer(refusal));
}

function refusalOf(error: unknown): Refusal {
  if (!(error instanceof Fault)) return refuse('UNKNOWN', 'dockgate: internal error, see the request id');
  const retry: Record<string, string> = error.status === 503 ? { 'retry-after': '2' } : {};
  return refuse(error.ociCode, error.message, {
    status: error.status,
    headers: { ...retry, ...error.headers },
  });
}
