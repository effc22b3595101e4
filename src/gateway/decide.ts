import type { IncomingMessage } from 'node:http';
import { certificateOf } from '../auth/index.ts';
import { sourceOf } from '../limits/index.ts';
import { isRefusal, printReference, type Refusal, refuse } from '../oci/index.ts';
import { hasForbiddenBody } from './body.ts';
import type { Call } from './call.ts';
import { challenge } from './challenge.ts';
import { dispatch } from './dispatch.ts';
import type { Exchange } from './exchange.ts';
import { throughMirror } from './mirror.ts';
import type { GatewayOptions, GatewayParts } from './parts.ts';
import { type DecisionFacts, deny, type Plan } from './plan.ts';
import { repeatedHeader } from './request.ts';
import { parseRoute, type Route } from './route.ts';

/**
 * Parses, proves who asks, and decides. Nothing is answered and nothing changes here.
 *
 * @param signal ends when the client hangs up.
 */
export async function decide(
  exchange: Exchange,
  options: GatewayOptions,
  parts: GatewayParts,
  call: Pick<Call, 'signal' | 'welcomeBody'>,
): Promise<Plan> {
  const { request } = exchange;
  const malformed = malformedRequest(request);
  if (malformed) return deny({ action: 'request', reason: 'request.invalid' }, malformed);
  const asked = parseRoute(request.url ?? '');
  if (isRefusal(asked)) return deny({ action: 'request', reason: 'request.invalid' }, asked);
  const mirrored = throughMirror(asked, parts.sources);
  const route = isRefusal(mirrored) ? asked : mirrored.route;

  exchange.facts = askedFor(route);

  // Before anything is done for it: whoever sends too much gets little for it.
  const crowded = parts.traffic.arrive(request, exchange.response);
  if (crowded) return deny({ ...exchange.facts, reason: crowded.reason }, crowded.refusal, true);
  const { authorization } = request.headers;
  const source = sourceOf(exchange.address);
  const proved = await parts.authenticator.authenticate({
    ...{ authorization, source },
    certificate: certificateOf(request.socket),
  });
  if (!proved.ok) {
    const scope = scopeOf(route, request.method ?? '');
    const headers = challenge(exchange.baseUrl, options.service, scope, 'invalid_token');
    const note = proved.principalName === undefined ? {} : { note: `as ${proved.principalName}` };
    return deny(
      { action: 'sign-in', reason: proved.reason, ...note },
      withChallenge(proved.refusal, headers),
    );
  }
  exchange.identity = proved.identity;
  const greedy = parts.traffic.claim(exchange.response, proved.identity.principal);
  if (greedy) return deny({ ...exchange.facts, reason: greedy.reason }, greedy.refusal);
  if (isRefusal(mirrored)) return deny({ ...exchange.facts, reason: 'mirror.unknown' }, mirrored);
  if (mirrored.namespace !== undefined) exchange.response.setHeader('oci-namespace', mirrored.namespace);
  if (route.kind === 'base' && proved.identity.via === 'anonymous') {
    const headers = challenge(exchange.baseUrl, options.service);
    const message = 'dockgate: sign in first (docker login, podman login)';
    return deny(
      { action: 'sign-in', reason: 'sign-in.needed' },
      refuse('UNAUTHORIZED', message, { headers }),
    );
  }
  const { id, address, userAgent, baseUrl, startedAtMs } = exchange;
  const method = request.method ?? '';
  const known = { id, request, method, route, address, userAgent, baseUrl, startedAtMs };
  const plan = await dispatch({ ...known, ...call, identity: proved.identity }, parts, options);
  return unlessBusy(plan, route, exchange, parts);
}

/** What is allowed may still be too much for its repositories. */
function unlessBusy(
  plan: Plan,
  route: Route,
  { response }: Pick<Exchange, 'response'>,
  { traffic }: Pick<GatewayParts, 'traffic'>,
): Plan {
  if (!plan.isAllowed || !('repository' in route)) return plan;
  const busy = traffic.enter(response, route.repository);
  return busy ? deny({ ...plan.facts, reason: busy.reason }, busy.refusal) : plan;
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

function withChallenge(refusal: Refusal, headers: Readonly<Record<string, string>>): Refusal {
  return refusal.status === 401 ? { ...refusal, headers: { ...headers, ...refusal.headers } } : refusal;
}

/** As much as the record of a fault says when the decision was not made. */
function askedFor(route: Route): DecisionFacts {
  if (!('repository' in route)) return { action: 'request' };
  const { repository } = route;
  if (route.kind === 'manifest')
    return { action: 'request', repository, reference: printReference(route.reference) };
  return { action: 'request', repository, ...('digest' in route ? { reference: route.digest } : {}) };
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
