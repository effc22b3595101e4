import { type Clock, SECOND_MS } from '../base/index.ts';
import { type JsonValue, parseStrictJson } from '../oci/index.ts';
import { memberOf, type WholeAnswer } from './answer.ts';
import { upstreamAway, upstreamSignInFailed } from './faults.ts';
import type { Target } from './options.ts';
import type { Secret } from './secret.ts';

/** A question to a token service; `form` makes it a POST. */
export interface TokenQuestion {
  readonly url: URL;
  readonly authorization?: string;
  readonly form?: URLSearchParams;
}

/** Where tokens come from, as the upstream's challenge says; checked before. */
export interface TokenRealm {
  readonly url: URL;
  readonly service: string | undefined;
}

export interface Token {
  readonly text: string;
  readonly lifetimeMs: number;
}

export interface TokenServiceParts {
  readonly clock: Clock;
  readonly secret: Secret | undefined;
  /** Asks; no redirect is followed. */
  readonly ask: (question: TokenQuestion) => Promise<WholeAnswer>;
}

/** @throws {UpstreamUnavailable} the service refused or did not answer. */
export type FetchToken = (realm: TokenRealm, scopes: readonly string[]) => Promise<Token>;

const TOKEN_TEXT = /^[\x21-\x7e]{1,16384}$/;
/** What a token lives when its service does not say. @see distribution docs/content/spec/auth/token.md */
const LIFETIME_SECONDS = 60;
const LIFETIME_SECONDS_MAX = 3600;
/** What a refresh token got by exchange is used for when it does not say how long it lives. */
const EXCHANGED_LIFETIME_SECONDS = 3600;
const EXCHANGED_USED_PART = 0.8;
const CLIENT_ID = 'dockgate';

/**
 * Asks for tokens with our credential, each kind in its own way: a password by GET and Basic, a refresh token by POST
 * (distribution docs/content/spec/auth/oauth.md), an Entra ID token exchanged for a refresh token first (ACR).
 * A credential that is refused is read anew, once.
 */
export function createTokenService(
  { username, credentialKind }: Pick<Target, 'username' | 'credentialKind'>,
  parts: TokenServiceParts,
): FetchToken {
  const { secret, ask } = parts;
  const exchanged = createExchange(parts);

  async function question(realm: TokenRealm, scopes: readonly string[]): Promise<TokenQuestion> {
    if (secret === undefined || credentialKind === 'password') {
      const signed =
        secret && username !== undefined ? { username, password: await secret.read() } : undefined;
      const url = tokenUrl(realm, scopes, username);
      return { url, ...(signed ? { authorization: basicAuthorization(signed) } : {}) };
    }
    const refreshToken =
      credentialKind === 'refresh-token' ? await secret.read() : await exchanged.refreshToken(realm, secret);
    const form = new URLSearchParams({ grant_type: 'refresh_token', client_id: CLIENT_ID });
    if (realm.service !== undefined) form.set('service', realm.service);
    if (scopes.length > 0) form.set('scope', scopes.join(' '));
    form.set('refresh_token', refreshToken);
    return { url: realm.url, form };
  }

  return async (realm, scopes) => {
    const first = await ask(await question(realm, scopes));
    if (!isRefusal(first) || !secret) return readToken(first);
    const isExchanged = exchanged.forget();
    if (!secret.renew() && !isExchanged) return readToken(first);
    return readToken(await ask(await question(realm, scopes)));
  };
}

export function basicAuthorization(signed: { readonly username: string; readonly password: string }): string {
  return `Basic ${Buffer.from(`${signed.username}:${signed.password}`).toString('base64')}`;
}

/** 400 is what OAuth2 says to a refresh token that is over. @see RFC 6749, 5.2 */
function isRefusal({ status }: WholeAnswer): boolean {
  return status === 400 || status === 401;
}

function tokenUrl(realm: TokenRealm, scopes: readonly string[], username: string | undefined): URL {
  const url = new URL(realm.url);
  if (realm.service !== undefined) url.searchParams.set('service', realm.service);
  for (const scope of scopes) url.searchParams.append('scope', scope);
  if (username !== undefined) url.searchParams.set('account', username);
  return url;
}

function jsonOf(answer: WholeAnswer): JsonValue | undefined {
  if (answer.status === 429 || answer.status >= 500) {
    throw upstreamAway('has no token service that answers');
  }
  if (answer.status !== 200) throw upstreamSignInFailed('its token service refused the credential');
  const json = parseStrictJson(answer.bytes);
  return json.ok ? json.value : undefined;
}

function tokenTextIn(value: JsonValue | undefined): string {
  if (typeof value === 'string' && TOKEN_TEXT.test(value)) return value;
  throw upstreamSignInFailed('its token service gave no token');
}

/** ACR and the OAuth2 way name it `access_token` only. */
function readToken(answer: WholeAnswer): Token {
  const json = jsonOf(answer);
  const text = tokenTextIn(memberOf(json, 'token') ?? memberOf(json, 'access_token'));
  const stated = memberOf(json, 'expires_in');
  const isUsable = typeof stated === 'number' && stated >= 1;
  const seconds = isUsable ? Math.min(stated, LIFETIME_SECONDS_MAX) : LIFETIME_SECONDS;
  return { text, lifetimeMs: seconds * SECOND_MS };
}

/** Exchanges an Entra ID token for a refresh token of the registry, and keeps that one. @see ACR docs, AAD-OAuth */
function createExchange({ clock, ask }: TokenServiceParts) {
  let kept: { readonly text: string; readonly untilMs: number } | undefined;
  return {
    async refreshToken({ url, service }: TokenRealm, secret: Secret): Promise<string> {
      if (kept && clock.monotonicMs() < kept.untilMs) return kept.text;
      const form = new URLSearchParams({ grant_type: 'access_token' });
      if (service !== undefined) form.set('service', service);
      form.set('access_token', await secret.read());
      const fromMs = clock.monotonicMs();
      const answer = await ask({ url: new URL('/oauth2/exchange', url), form });
      const text = tokenTextIn(memberOf(jsonOf(answer), 'refresh_token'));
      kept = { text, untilMs: fromMs + lifetimeSecondsOf(text) * SECOND_MS * EXCHANGED_USED_PART };
      return text;
    },
    /** @returns whether there was one, so that a new one may help. */
    forget(): boolean {
      const isKept = kept !== undefined;
      kept = undefined;
      return isKept;
    },
  };
}

/** What a JWT says of its life; read to know when to ask again, never to trust it. */
function lifetimeSecondsOf(token: string): number {
  const claims = parseStrictJson(Buffer.from(token.split('.')[1] ?? '', 'base64url'));
  const issued = claims.ok ? memberOf(claims.value, 'iat') : undefined;
  const expires = claims.ok ? memberOf(claims.value, 'exp') : undefined;
  if (typeof issued !== 'number' || typeof expires !== 'number' || expires <= issued) {
    return EXCHANGED_LIFETIME_SECONDS;
  }
  return expires - issued;
}
