import type { Request, RequestHandler, Response } from 'express';
import type { AuditEntry } from '../audit/index.ts';
import { type Authentication, authorizationOf, type Identity } from '../auth/index.ts';
import { sourceOf } from '../limits/index.ts';
import { errorBody, type Refusal, refuse } from '../oci/index.ts';
import { parseScopes, printScope, type Scope } from '../roles/index.ts';
import { peerAddress } from './identify.ts';
import type { ApiOptions, ApiParts } from './parts.ts';

/** What a token request asks, by GET or by POST. */
interface Ask {
  readonly service: string | undefined;
  readonly scopes: readonly string[];
  readonly clientId: string;
  readonly wantsRefreshToken: boolean;
}

/**
 * The token endpoint. GET with Basic (or nothing: an anonymous token), POST by OAuth2 with `password` or
 * `refresh_token`. Fewer actions than asked is success. Every answer is JSON, also every "no".
 *
 * @see distribution docs/content/spec/auth/token.md and oauth.md
 */
export function createTokenHandlers(
  options: ApiOptions,
  parts: ApiParts,
): { readonly get: RequestHandler; readonly post: RequestHandler } {
  const get: RequestHandler = async (request, response) => {
    const query = new URLSearchParams(request.originalUrl.split('?')[1] ?? '');
    const ask: Ask = {
      service: query.get('service') ?? undefined,
      scopes: query.getAll('scope'),
      clientId: query.get('client_id') ?? '',
      wantsRefreshToken: query.get('offline_token') === 'true',
    };
    const proved = await proveHeader(request, parts);
    await answer(proved, ask, { request, response, options, parts });
  };
  const post: RequestHandler = async (request, response) => {
    const form = formOf(request);
    const ask: Ask = {
      service: form.get('service') ?? undefined,
      scopes: form.getAll('scope'),
      clientId: form.get('client_id') ?? '',
      wantsRefreshToken: form.get('access_type') === 'offline',
    };
    await answer(await proveForm(form, request, { options, parts }), ask, {
      request,
      response,
      options,
      parts,
    });
  };
  return { get, post };
}

/** Basic, or nothing for an anonymous token; a token cannot be had for a token. */
async function proveHeader(request: Request, parts: ApiParts): Promise<Authentication> {
  const header = authorizationOf(request.rawHeaders);
  if (!header.ok) return header;
  if (/^bearer /i.test(header.authorization ?? '')) {
    const refusal = refuse('UNAUTHORIZED', 'dockgate: sign in with user and password');
    return { ok: false, refusal, reason: 'token.kind' };
  }
  const source = sourceOf(peerAddress(request));
  return parts.authenticator.authenticate({ authorization: header.authorization, source });
}

/** Fields of the form, each with all its values: containers/image repeats `scope`. */
function formOf(request: Request): URLSearchParams {
  const form = new URLSearchParams();
  const body: unknown = request.body;
  if (typeof body !== 'object' || body === null) return form;
  for (const [key, value] of Object.entries(body)) {
    for (const text of Array.isArray(value) ? value : [value]) {
      if (typeof text === 'string') form.append(key, text);
    }
  }
  return form;
}

async function proveForm(
  form: URLSearchParams,
  request: Request,
  { options, parts }: Pick<Exchange, 'options' | 'parts'>,
): Promise<Authentication> {
  const source = sourceOf(peerAddress(request));
  const grantType = form.get('grant_type');
  if (grantType === 'password') {
    return parts.authenticator.signIn({
      name: form.get('username') ?? '',
      secret: form.get('password') ?? '',
      source,
    });
  }
  if (grantType === 'refresh_token') {
    return parts.authenticator.refresh({ token: form.get('refresh_token') ?? '', service: options.service });
  }
  const refusal = refuse('UNSUPPORTED', 'dockgate: grant_type must be password or refresh_token', {
    status: 400,
  });
  return { ok: false, refusal, reason: 'token.grant-type' };
}

interface Exchange {
  readonly request: Request;
  readonly response: Response;
  readonly options: ApiOptions;
  readonly parts: ApiParts;
}

async function answer(proved: Authentication, ask: Ask, exchange: Exchange): Promise<void> {
  const { options } = exchange;
  if (!proved.ok) {
    const note = proved.principalName === undefined ? {} : { note: `as ${proved.principalName}` };
    return refuseToken(exchange, { reason: proved.reason, ...note }, proved.refusal);
  }
  if (ask.service !== undefined && ask.service !== options.service) {
    const refusal = refuse('UNSUPPORTED', `dockgate: service must be ${options.service}`, { status: 400 });
    return refuseToken(
      exchange,
      { reason: 'token.service', principal: principalOf(proved.identity) },
      refusal,
    );
  }
  const requested = parseScopes(ask.scopes);
  if (!requested.ok) {
    const refusal = refuse('UNSUPPORTED', `dockgate: ${requested.problem}`, { status: 400 });
    return refuseToken(exchange, { reason: 'token.scope', principal: principalOf(proved.identity) }, refusal);
  }
  await issue(proved.identity, requested.scopes, ask, exchange);
}

async function issue(
  identity: Identity,
  requested: readonly Scope[],
  ask: Ask,
  exchange: Exchange,
): Promise<void> {
  const { options, parts, response } = exchange;
  const { principal } = identity;
  const scopes = await parts.directory.scopesFor(identity, requested);
  const issued = await parts.tokens.issue({ principal, scopes, provedAtMs: identity.provedAtMs });
  // For a password alone: a robot's secret is revocable already, and podman refuses to sign in beside one.
  const refreshToken =
    ask.wantsRefreshToken && principal.kind === 'user'
      ? await parts.refreshTokens.issue({ principal, service: options.service, clientId: ask.clientId })
      : undefined;
  await parts.audit.record({
    ...entryOf(exchange, 'allowed', 200),
    principal: { ...principalOf(identity), tokenId: issued.tokenId },
    note: scopes.map(printScope).join(' '),
  });
  response.json({
    token: issued.token,
    access_token: issued.token,
    expires_in: issued.expiresInSeconds,
    issued_at: new Date(issued.issuedAtMs).toISOString(),
    scope: scopes.map(printScope).join(' '),
    ...(refreshToken === undefined ? {} : { refresh_token: refreshToken.token }),
  });
}

async function refuseToken(
  exchange: Exchange,
  facts: Pick<AuditEntry, 'reason' | 'note' | 'principal'>,
  refusal: Refusal,
): Promise<void> {
  await exchange.parts.audit.record({ ...entryOf(exchange, 'refused', refusal.status), ...facts });
  if (refusal.headers) exchange.response.set(refusal.headers);
  exchange.response.status(refusal.status).type('application/json').send(errorBody(refusal));
}

function entryOf(
  { request, response }: Exchange,
  outcome: AuditEntry['outcome'],
  status: number,
): AuditEntry {
  const userAgent = request.headers['user-agent'];
  return {
    kind: 'decision',
    requestId: response.locals.requestId,
    action: 'token',
    outcome,
    status,
    method: request.method,
    client: { address: peerAddress(request), ...(userAgent === undefined ? {} : { userAgent }) },
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
