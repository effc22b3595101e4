import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AuditEntry } from '../audit/index.ts';
import { ANONYMOUS_IDENTITY, type Identity } from '../auth/index.ts';
import { newId } from '../base/index.ts';
import { sourceOf } from '../limits/index.ts';
import { Fault, isRefusal, type Refusal, refuse } from '../oci/index.ts';
import { type Answer, refusalAnswer } from './answer.ts';
import { hasForbiddenBody } from './body.ts';
import type { Call } from './call.ts';
import { challenge } from './challenge.ts';
import { dispatch } from './dispatch.ts';
import type { GatewayOptions, GatewayParts } from './parts.ts';
import type { DecisionFacts, Plan } from './plan.ts';
import { baseUrlOf, peerAddress, repeatedHeader } from './request.ts';
import { respond } from './respond.ts';
import { parseRoute, type Route } from './route.ts';

export interface Gateway {
  /**
   * Answers one request below /v2. Never throws.
   *
   * @param welcomeBody sends `100 Continue`; called once the decision allows the body.
   */
  handle(request: IncomingMessage, response: ServerResponse, welcomeBody: () => void): Promise<void>;
}

/** Who asked, as far as it is known yet. */
interface Asker {
  readonly id: string;
  readonly request: IncomingMessage;
  readonly baseUrl: string;
  readonly address: string;
  readonly userAgent: string | undefined;
  readonly startedAtMs: number;
  readonly identity?: Identity;
}

/** Parse, authenticate, decide, record, act: the only place that does the last two, so no handler can skip one. */
export function createGateway(options: GatewayOptions, parts: GatewayParts): Gateway {
  return {
    async handle(request, response, welcomeBody) {
      const asker: Asker = {
        id: newId(parts.random),
        request,
        baseUrl: baseUrlOf(request, options),
        address: peerAddress(request),
        userAgent: request.headers['user-agent'],
        startedAtMs: parts.clock.monotonicMs(),
      };
      response.setHeader('x-request-id', asker.id);
      const hangUp = new AbortController();
      response.once('close', () => hangUp.abort());
      try {
        const { identity, plan } = await decide(asker, options, parts, hangUp.signal, welcomeBody);
        await carryOut({ ...asker, ...(identity ? { identity } : {}) }, plan, parts, response);
      } catch (error) {
        await failClosed(asker, error, parts, response);
      }
    },
  };
}

interface Decided {
  readonly identity?: Identity;
  readonly plan: Plan;
}

async function decide(
  asker: Asker,
  options: GatewayOptions,
  parts: GatewayParts,
  signal: AbortSignal,
  welcomeBody: () => void,
): Promise<Decided> {
  const { request } = asker;
  const malformed = malformedRequest(request);
  if (malformed) return { plan: refusedPlan('request', 'request.invalid', malformed) };
  const route = parseRoute(request.url ?? '');
  if (isRefusal(route)) return { plan: refusedPlan('request', 'request.invalid', route) };

  const { authorization } = request.headers;
  const proved = await parts.authenticator.authenticate({ authorization, source: sourceOf(asker.address) });
  const scope = scopeOf(route, request.method ?? '');
  if (!proved.ok) {
    const refusal = withChallenge(
      proved.refusal,
      challenge(asker.baseUrl, options.service, scope, 'invalid_token'),
    );
    const note = proved.principalName === undefined ? {} : { note: `as ${proved.principalName}` };
    return {
      plan: { isAllowed: false, facts: { action: 'sign-in', reason: proved.reason, ...note }, refusal },
    };
  }
  const { identity } = proved;
  if (route.kind === 'base' && identity.via === 'anonymous') {
    const headers = challenge(asker.baseUrl, options.service);
    const refusal = refuse('UNAUTHORIZED', 'dockgate: sign in first (docker login, podman login)', {
      headers,
    });
    return { identity, plan: refusedPlan('sign-in', 'sign-in.needed', refusal) };
  }
  const call: Call = {
    id: asker.id,
    request,
    method: request.method ?? '',
    route,
    identity,
    address: asker.address,
    userAgent: asker.userAgent,
    baseUrl: asker.baseUrl,
    startedAtMs: asker.startedAtMs,
    signal,
    welcomeBody,
  };
  return { identity, plan: await dispatch(call, parts, options) };
}

/** Requests that two parsers could read differently, refused before anything is decided. @see threats chapter 0, T-37 */
function malformedRequest(request: IncomingMessage): Refusal | undefined {
  const headers = { connection: 'close' };
  if (hasForbiddenBody(request)) {
    return refuse('UNSUPPORTED', `dockgate: ${request.method} must not have a body`, {
      status: 400,
      headers,
    });
  }
  const repeated = repeatedHeader(request);
  if (repeated === undefined) return undefined;
  return refuse('UNSUPPORTED', `dockgate: header ${repeated} given twice`, { status: 400, headers });
}

function refusedPlan(action: string, reason: string, refusal: Refusal): Plan {
  return { isAllowed: false, facts: { action, reason }, refusal };
}

function withChallenge(refusal: Refusal, headers: Readonly<Record<string, string>>): Refusal {
  return refusal.status === 401 ? { ...refusal, headers: { ...headers, ...refusal.headers } } : refusal;
}

/** What a client must ask a token for, to do what it just tried. */
function scopeOf(route: Route, method: string): string | undefined {
  if (route.kind === 'base') return undefined;
  if (route.kind === 'catalog') return 'registry:catalog:*';
  const isRead = method === 'GET' || method === 'HEAD';
  const isUpload = route.kind === 'uploads' || route.kind === 'upload';
  if (method === 'DELETE' && !isUpload) return `repository:${route.repository}:delete`;
  return `repository:${route.repository}:${isRead && !isUpload ? 'pull' : 'pull,push'}`;
}

/** Records, then acts. */
async function carryOut(
  asker: Asker,
  plan: Plan,
  parts: GatewayParts,
  response: ServerResponse,
): Promise<void> {
  if (!plan.isAllowed) return refuseCall(asker, plan.facts, plan.refusal, parts, response);
  // Written before the first byte leaves and before anything changes: a crash must never leave a pull or a push
  // that no record explains.
  await parts.audit.record(entryOf(asker, plan.facts, 'allowed', plan.status));
  const done = await plan.act();
  if (isRefusal(done)) {
    return refuseCall(
      asker,
      { ...plan.facts, reason: `outcome.${done.code.toLowerCase()}` },
      done,
      parts,
      response,
    );
  }
  await send(asker, plan.facts, done, parts, response);
}

async function refuseCall(
  asker: Asker,
  facts: DecisionFacts,
  refusal: Refusal,
  parts: GatewayParts,
  response: ServerResponse,
): Promise<void> {
  const entry = entryOf(asker, facts, 'refused', refusal.status);
  // An answer that only asks for a credential, or rejects what is no request, is not waited for: a flood of those
  // must not fill the disk.
  if (asker.request.headers.authorization === undefined) parts.audit.note(entry);
  else await parts.audit.record(entry);
  await send(asker, facts, refusalAnswer(refusal), parts, response);
}

async function send(
  asker: Asker,
  facts: DecisionFacts,
  answer: Answer,
  parts: GatewayParts,
  response: ServerResponse,
): Promise<void> {
  const sent = await respond(asker.request, response, answer);
  if (!sent.isTransfer) return;
  const entry = entryOf(asker, facts, answer.status < 400 ? 'allowed' : 'refused', answer.status);
  parts.audit.complete({
    ...entry,
    kind: 'completion',
    bytes: sent.bytes,
    durationMs: Math.round(parts.clock.monotonicMs() - asker.startedAtMs),
    isAborted: sent.isAborted,
  });
}

/** Something broke: the request is refused with what the fault says to people, the cause goes to the operational log. */
async function failClosed(
  asker: Asker,
  error: unknown,
  parts: GatewayParts,
  response: ServerResponse,
): Promise<void> {
  const refusal = refusalOf(error);
  const code = error instanceof Fault ? error.code : 'DG_BUG';
  const fields = { requestId: asker.id, code, url: undefined };
  if (error instanceof Fault) parts.logger.warn(`request failed: ${error.message}`, fields);
  else parts.logger.error('request failed for a reason nobody foresaw', fields, error);
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  try {
    if (code !== 'DG_AUDIT_UNAVAILABLE') {
      await parts.audit.record(
        entryOf(asker, { action: 'request', reason: `fault.${code}` }, 'refused', refusal.status),
      );
    }
  } catch {
    // The log is away as well: the answer below says 503 and serves nothing, which is all that may be said unrecorded.
  }
  await respond(asker.request, response, refusalAnswer(refusal));
}

function refusalOf(error: unknown): Refusal {
  if (!(error instanceof Fault)) return refuse('UNKNOWN', 'dockgate: internal error, see the request id');
  const retry: Record<string, string> = error.status === 503 ? { 'retry-after': '2' } : {};
  return refuse(error.ociCode, error.message, {
    status: error.status,
    headers: { ...retry, ...error.headers },
  });
}

function entryOf(
  asker: Asker,
  facts: DecisionFacts,
  outcome: AuditEntry['outcome'],
  status: number,
): AuditEntry & { readonly kind: 'decision' } {
  const { principal, via, tokenId } = asker.identity ?? ANONYMOUS_IDENTITY;
  return {
    kind: 'decision',
    requestId: asker.id,
    ...facts,
    outcome,
    status,
    method: asker.request.method ?? '',
    principal: {
      kind: principal.kind,
      id: principal.id,
      name: principal.name,
      via,
      ...(tokenId ? { tokenId } : {}),
    },
    client: {
      address: asker.address,
      ...(asker.userAgent === undefined ? {} : { userAgent: asker.userAgent }),
    },
  };
}
