import type { Request, RequestHandler } from 'express';
import { type Authentication, authorizationOf, certificateOf, type Identity } from '../auth/index.ts';
import { sourceOf } from '../limits/index.ts';
import { errorBody, parseRepository, type Refusal, refuse } from '../oci/index.ts';
import { parseScopes, printScope, type Scope } from '../roles/index.ts';
import { clientAddress } from '../traffic/index.ts';
import type { ApiOptions, ApiParts, Registries } from './parts.ts';
import { type Exchange, entryOf, type RecordFacts } from './record.ts';
import { failRequest } from './refuse-request.ts';

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
  /** Whatever breaks is recorded and answered in the form that clients can print. */
  const handler =
    (read: (request: Request) => Promise<readonly [Authentication, Ask]>): RequestHandler =>
    async (request, response) => {
      const exchange = { request, response, options, parts };
      try {
        const [proved, ask] = await read(request);
        await answer(proved, ask, exchange);
      } catch (error) {
        await failRequest(exchange, error, { action: 'token' });
      }
    };
  return {
    get: handler(async (request) => [await proveHeader(request, parts), askOfQuery(request)]),
    post: handler(async (request) => {
      const form = formOf(request);
      return [await proveForm(form, request, { options, parts }), askOfForm(form)];
    }),
  };
}

function askOfQuery(request: Request): Ask {
  const query = new URLSearchParams(request.originalUrl.split('?')[1] ?? '');
  return {
    service: query.get('service') ?? undefined,
    scopes: query.getAll('scope'),
    clientId: query.get('client_id') ?? '',
    wantsRefreshToken: query.get('offline_token') === 'true',
  };
}

function askOfForm(form: URLSearchParams): Ask {
  return {
    service: form.get('service') ?? undefined,
    scopes: form.getAll('scope'),
    clientId: form.get('client_id') ?? '',
    wantsRefreshToken: form.get('access_type') === 'offline',
  };
}

/** Basic, or nothing for an anonymous token; a token cannot be had for a token. */
async function proveHeader(request: Request, parts: ApiParts): Promise<Authentication> {
  const header = authorizationOf(request.rawHeaders);
  if (!header.ok) return header;
  if (/^bearer /i.test(header.authorization ?? '')) {
    const refusal = refuse('UNAUTHORIZED', 'dockgate: sign in with user and password');
    return { ok: false, refusal, reason: 'token.kind' };
  }
  const source = sourceOf(clientAddress(request));
  return parts.authenticator.authenticate({
    authorization: header.authorization,
    source,
    certificate: certificateOf(request.socket),
  });
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
  { options, parts }: Pick<TokenExchange, 'options' | 'parts'>,
): Promise<Authentication> {
  const certificate = certificateOf(request.socket);
  const source = sourceOf(clientAddress(request));
  const grantType = form.get('grant_type');
  if (grantType === 'password') {
    return parts.authenticator.signIn({
      name: form.get('username') ?? '',
      secret: form.get('password') ?? '',
      source,
      certificate,
      ...(form.has('otp') ? { code: form.get('otp') ?? '' } : {}),
    });
  }
  if (grantType === 'refresh_token') {
    const token = form.get('refresh_token') ?? '';
    return parts.authenticator.refresh({ token, service: options.service, source, certificate });
  }
  // A workload's token in exchange for ours; it says itself who it is.
  if (grantType === TOKEN_EXCHANGE) {
    return parts.authenticator.signIn({
      name: 'workload',
      secret: form.get('subject_token') ?? '',
      source,
      certificate,
    });
  }
  // A person has confirmed this program in a browser.
  if (grantType === DEVICE_CODE || grantType === 'authorization_code') {
    const verifier = form.get('code_verifier');
    const secret = form.get(grantType === DEVICE_CODE ? 'device_code' : 'code') ?? '';
    return parts.authenticator.beside({ certificate }, () =>
      parts.programs.redeem({ secret, ...(verifier === null ? {} : { verifier }) }),
    );
  }
  const refusal = refuse('UNSUPPORTED', 'dockgate: grant_type must be password or refresh_token', {
    status: 400,
  });
  return { ok: false, refusal, reason: 'token.grant-type' };
}

/** @see RFC 8693 chapter 2.1 */
const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';

/** @see RFC 8628 chapter 3.4 */
const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code';

/** What a program that waits for a person understands, beside our own words. @see RFC 8628 chapter 3.5 */
const PROGRAM_ERRORS: Readonly<Record<string, string>> = {
  'program.waiting': 'authorization_pending',
  'program.denied': 'access_denied',
  'program.over': 'expired_token',
};

interface TokenExchange extends Exchange {
  readonly options: ApiOptions;
  readonly parts: ApiParts;
}

async function answer(proved: Authentication, ask: Ask, exchange: TokenExchange): Promise<void> {
  const { service } = exchange.options;
  if (!proved.ok) {
    const note = proved.principalName === undefined ? {} : { note: `as ${proved.principalName}` };
    return refuseToken(exchange, { reason: proved.reason, ...note }, proved.refusal);
  }
  const { identity } = proved;
  const greedy = exchange.parts.traffic.claim(exchange.response, identity.principal);
  if (greedy) return refuseToken(exchange, { reason: greedy.reason, identity }, greedy.refusal);
  if (ask.service !== undefined && ask.service !== service) {
    const refusal = refuse('UNSUPPORTED', `dockgate: service must be ${service}`, { status: 400 });
    return refuseToken(exchange, { reason: 'token.service', identity }, refusal);
  }
  const requested = parseScopes(ask.scopes);
  if (!requested.ok) {
    const refusal = refuse('UNSUPPORTED', `dockgate: ${requested.problem}`, { status: 400 });
    return refuseToken(exchange, { reason: 'token.scope', identity }, refusal);
  }
  await issue(identity, requested.scopes, ask, exchange);
}

async function issue(
  identity: Identity,
  requested: readonly Scope[],
  ask: Ask,
  exchange: TokenExchange,
): Promise<void> {
  const { options, parts, response } = exchange;
  const { principal } = identity;
  const meant = requested.map((scope) => named(scope, parts.registries));
  const scopes = await parts.directory.scopesFor(identity, meant);
  const { provedAtMs, personalTokenId, warning } = identity;
  const sessionId = identity.via === 'refresh-token' ? identity.tokenId : undefined;
  const issued = await parts.tokens.issue({ principal, scopes, provedAtMs, personalTokenId, sessionId });
  const scope = scopes.map(printScope).join(' ');
  // For a password or a browser alone: what else proves is revocable already, and podman refuses to sign in beside one.
  const isRefreshable = ask.wantsRefreshToken && (identity.via === 'basic' || identity.via === 'browser');
  const note = [
    scope,
    ...(isRefreshable ? ['with a refresh token'] : []),
    ...(personalTokenId === undefined ? [] : [`by personal token ${personalTokenId}`]),
    ...(warning === undefined ? [] : [`(${warning})`]),
  ]
    .join(' ')
    .trim();
  const facts = { action: 'token', outcome: 'allowed', status: 200, tokenId: issued.tokenId } as const;
  const { isAllowed: isAdministrator } = await parts.directory.can(identity, 'users.manage', undefined);
  await parts.audit.record(entryOf(exchange, { ...facts, identity, note }), { isAdministrator });
  const refreshToken = isRefreshable
    ? await parts.refreshTokens.issue({ principal, service: options.service, clientId: ask.clientId })
    : undefined;
  response.json({
    token: issued.token,
    access_token: issued.token,
    expires_in: issued.expiresInSeconds,
    issued_at: new Date(issued.issuedAtMs).toISOString(),
    scope,
    ...(refreshToken === undefined ? {} : { refresh_token: refreshToken.token }),
  });
}

/** The name that the gateway will judge by. A client composes the scope from the name it knows. */
function named(scope: Scope, registries: Pick<Registries, 'nameOf'>): Scope {
  const repository = scope.type === 'repository' ? parseRepository(scope.name) : undefined;
  return repository ? { ...scope, name: registries.nameOf(repository) } : scope;
}

async function refuseToken(
  exchange: TokenExchange,
  facts: Pick<RecordFacts, 'reason' | 'note' | 'identity'>,
  refusal: Refusal,
): Promise<void> {
  const { parts, response } = exchange;
  const entry = entryOf(exchange, {
    ...facts,
    action: 'token',
    outcome: 'refused',
    status: refusal.status,
  });
  if (showsCredential(exchange.request)) await parts.audit.record(entry);
  else parts.audit.note(entry);
  if (refusal.headers) response.set(refusal.headers);
  const error = PROGRAM_ERRORS[facts.reason ?? ''];
  const body = errorBody(refusal);
  response
    .status(refusal.status)
    .type('application/json')
    .send(error === undefined ? body : JSON.stringify({ error, ...JSON.parse(body) }));
}

function showsCredential(request: Request): boolean {
  if (request.headers.authorization !== undefined) return true;
  const form = formOf(request);
  return form.has('password') || form.has('refresh_token') || form.has('subject_token');
}
