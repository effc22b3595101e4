import { LRUCache } from 'lru-cache';
import { type Clock, createSingleFlight, SECOND_MS } from '../base/index.ts';
import { parseStrictJson } from '../oci/index.ts';
import { memberOf, type WholeAnswer } from './answer.ts';
import { parseChallenges } from './challenge.ts';
import { upstreamAway, upstreamSignInFailed } from './faults.ts';
import type { Target } from './options.ts';

export interface SignInParts {
  readonly clock: Clock;
  /** Asks a token service; no redirect is followed. */
  readonly fetchToken: (url: URL, authorization: string | undefined) => Promise<WholeAnswer>;
}

/** Our own credential at the upstream. What a client showed us never comes near it. */
export interface SignIn {
  /** Whether the upstream has said yet what it wants. */
  readonly isKnown: () => boolean;
  /** The upstream answered without asking for a credential. */
  learnOpen(): void;
  /**
   * Takes in a 401: what is wanted from now on. A token that was kept for these scopes is dropped.
   * @throws {UpstreamUnavailable} it wants what we cannot or must not give.
   */
  learn(challenge: string, scopes: readonly string[]): void;
  /**
   * The Authorization header for these scopes; `undefined` while none is wanted.
   * @throws {UpstreamUnavailable} the token service refused or did not answer.
   */
  authorizationFor(scopes: readonly string[]): Promise<string | undefined>;
}

type Mode =
  | { readonly kind: 'unknown' | 'open' }
  | { readonly kind: 'basic'; readonly authorization: string }
  | { readonly kind: 'bearer'; readonly realm: URL; readonly service: string | undefined };

interface Token {
  readonly text: string;
  /** On the monotonic clock: a step of the wall clock must not prolong it. */
  readonly untilMs: number;
}

const TOKENS_MAX = 1000;
const TOKEN_TEXT = /^[\x21-\x7e]{1,16384}$/;
/** What a token lives when its service does not say. @see distribution docs/content/spec/auth/token.md */
const LIFETIME_SECONDS = 60;
const LIFETIME_SECONDS_MAX = 3600;
/** A token is used for this part of its life, so that it does not end on the way. */
const USED_PART = 0.8;

export function createSignIn(target: Target, parts: SignInParts): SignIn {
  const tokens = new LRUCache<string, Token>({ max: TOKENS_MAX });
  const singleFlight = createSingleFlight<string>();
  const basic = target.credentials && basicAuthorization(target.credentials);
  let mode: Mode = { kind: 'unknown' };

  async function fetchToken(wanted: Mode & { readonly kind: 'bearer' }, scopes: readonly string[]) {
    const answer = await parts.fetchToken(tokenUrl(wanted, scopes, target), basic);
    if (answer.status === 429 || answer.status >= 500)
      throw upstreamAway('has no token service that answers');
    if (answer.status !== 200) throw upstreamSignInFailed('its token service refused the credential');
    const { text, lifetimeSeconds } = readToken(answer.bytes);
    const untilMs = parts.clock.monotonicMs() + lifetimeSeconds * SECOND_MS * USED_PART;
    tokens.set(scopes.join(' '), { text, untilMs });
    return text;
  }

  return {
    isKnown: () => mode.kind !== 'unknown',
    learnOpen() {
      if (mode.kind === 'unknown') mode = { kind: 'open' };
    },
    learn(challenge, scopes) {
      tokens.delete(scopes.join(' '));
      mode = readMode(challenge, target, basic);
    },
    async authorizationFor(scopes) {
      if (mode.kind === 'basic') return mode.authorization;
      if (mode.kind !== 'bearer') return undefined;
      const key = scopes.join(' ');
      const known = tokens.get(key);
      if (known && parts.clock.monotonicMs() < known.untilMs) return `Bearer ${known.text}`;
      const wanted = mode;
      return `Bearer ${await singleFlight(key, () => fetchToken(wanted, scopes))}`;
    },
  };
}

function basicAuthorization(credentials: { readonly username: string; readonly password: string }): string {
  return `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`;
}

/** Bearer where both are offered: the password then goes to the token service only. */
function readMode(header: string, target: Target, basic: string | undefined): Mode {
  const challenges = parseChallenges(header);
  const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
  if (bearer) {
    const realm = readRealm(bearer.parameters.get('realm'), target);
    return { kind: 'bearer', realm, service: bearer.parameters.get('service') };
  }
  if (!challenges.some(({ scheme }) => scheme === 'basic')) {
    throw upstreamSignInFailed('it asks for neither Basic nor Bearer');
  }
  if (basic === undefined) throw upstreamSignInFailed('it asks for a password and none is configured');
  return { kind: 'basic', authorization: basic };
}

/**
 * The realm decides where our password goes, and the upstream, or whoever speaks in its name, writes it: so
 * only origins on the list are taken, the same host under another port or scheme is another origin.
 */
function readRealm(text: string | undefined, target: Target): URL {
  const realm = text !== undefined && URL.canParse(text) ? new URL(text) : undefined;
  const isListed = realm !== undefined && target.realmOrigins.has(realm.origin);
  if (!realm || !isListed || realm.username !== '' || realm.password !== '') {
    throw upstreamSignInFailed('its token service is not on the list of allowed ones');
  }
  return realm;
}

function tokenUrl(mode: Mode & { readonly kind: 'bearer' }, scopes: readonly string[], target: Target): URL {
  const url = new URL(mode.realm);
  url.hash = '';
  if (mode.service !== undefined) url.searchParams.set('service', mode.service);
  for (const scope of scopes) url.searchParams.append('scope', scope);
  if (target.credentials) url.searchParams.set('account', target.credentials.username);
  return url;
}

function readToken(bytes: Uint8Array): { readonly text: string; readonly lifetimeSeconds: number } {
  const json = parseStrictJson(bytes);
  const value = json.ok ? json.value : undefined;
  const text = memberOf(value, 'token') ?? memberOf(value, 'access_token');
  if (typeof text !== 'string' || !TOKEN_TEXT.test(text)) {
    throw upstreamSignInFailed('its token service gave no token');
  }
  const stated = memberOf(value, 'expires_in');
  const isUsable = typeof stated === 'number' && stated >= 1;
  return { text, lifetimeSeconds: isUsable ? Math.min(stated, LIFETIME_SECONDS_MAX) : LIFETIME_SECONDS };
}
