import { LRUCache } from 'lru-cache';
import { type Clock, createSingleFlight, type Logger } from '../base/index.ts';
import type { WholeAnswer } from './answer.ts';
import { parseChallenges } from './challenge.ts';
import { upstreamSignInFailed } from './faults.ts';
import type { Target } from './options.ts';
import { createSecret, type Secret } from './secret.ts';
import {
  basicAuthorization,
  createTokenService,
  type TokenQuestion,
  type TokenRealm,
} from './token-service.ts';

export interface SignInParts {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Asks a token service; no redirect is followed. */
  readonly askToken: (question: TokenQuestion) => Promise<WholeAnswer>;
}

/** Our own credential at the upstream. What a client showed us never comes near it. */
export interface SignIn {
  /** Whether the upstream has said yet what it wants. */
  readonly isKnown: () => boolean;
  /** The upstream answered without asking for a credential. */
  learnOpen(): void;
  /**
   * Takes in a 401: what is wanted from now on. What was shown is shown no more: a token that was kept for these
   * scopes is dropped, a password that can be read anew is.
   * @throws {UpstreamUnavailable} it wants what we cannot or must not give.
   */
  learn(challenge: string, scopes: readonly string[]): void;
  /**
   * The Authorization header for these scopes; `undefined` while none is wanted.
   * @throws {UpstreamUnavailable} the token service refused or did not answer, or there is no password to show.
   */
  authorizationFor(scopes: readonly string[]): Promise<string | undefined>;
  /**
   * Whether a password that was refused with 403 has a newer one: so ECR answers when its password is over.
   * @throws {UpstreamUnavailable} there is no password to show.
   */
  hasNewer(shown: string | undefined): Promise<boolean>;
}

type Mode =
  | { readonly kind: 'unknown' | 'open' | 'basic' }
  | { readonly kind: 'bearer'; readonly realm: TokenRealm };

interface KeptToken {
  readonly text: string;
  /** On the monotonic clock: a step of the wall clock must not prolong it. */
  readonly untilMs: number;
}

const TOKENS_MAX = 1000;
/** A token is used for this part of its life, so that it does not end on the way. */
const USED_PART = 0.8;

export function createSignIn(target: Target, { clock, logger, askToken }: SignInParts): SignIn {
  const tokens = new LRUCache<string, KeptToken>({ max: TOKENS_MAX });
  const singleFlight = createSingleFlight<string>();
  const secret = target.secret && createSecret(target.secret, { clock, logger });
  const fetchToken = createTokenService(target, { clock, secret, ask: askToken });
  let mode: Mode = { kind: 'unknown' };

  async function keepToken(realm: TokenRealm, scopes: readonly string[]): Promise<string> {
    const { text, lifetimeMs } = await fetchToken(realm, scopes);
    tokens.set(scopes.join(' '), { text, untilMs: clock.monotonicMs() + lifetimeMs * USED_PART });
    return text;
  }

  async function basicFor(shownSecret: Secret): Promise<string | undefined> {
    if (target.username === undefined) return undefined;
    return basicAuthorization({ username: target.username, password: await shownSecret.read() });
  }

  return {
    isKnown: () => mode.kind !== 'unknown',
    learnOpen() {
      if (mode.kind === 'unknown') mode = { kind: 'open' };
    },
    learn(challenge, scopes) {
      tokens.delete(scopes.join(' '));
      const next = readMode(challenge, target);
      // Basic was shown and refused: perhaps the password is over.
      if (mode.kind === 'basic' && next.kind === 'basic') secret?.renew();
      mode = next;
    },
    async authorizationFor(scopes) {
      if (mode.kind === 'basic' && secret) return basicFor(secret);
      if (mode.kind !== 'bearer') return undefined;
      const key = scopes.join(' ');
      const known = tokens.get(key);
      if (known && clock.monotonicMs() < known.untilMs) return `Bearer ${known.text}`;
      const { realm } = mode;
      return `Bearer ${await singleFlight(key, () => keepToken(realm, scopes))}`;
    },
    async hasNewer(shown) {
      if (mode.kind !== 'basic' || !secret?.renew()) return false;
      return (await basicFor(secret)) !== shown;
    },
  };
}

/** Bearer where both are offered: the password then goes to the token service only. */
function readMode(header: string, target: Target): Mode {
  const challenges = parseChallenges(header);
  const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
  if (bearer) {
    const url = readRealm(bearer.parameters.get('realm'), target);
    return { kind: 'bearer', realm: { url, service: bearer.parameters.get('service') } };
  }
  if (!challenges.some(({ scheme }) => scheme === 'basic')) {
    throw upstreamSignInFailed('it asks for neither Basic nor Bearer');
  }
  if (!target.secret || target.credentialKind !== 'password') {
    throw upstreamSignInFailed('it asks for a password and none is configured');
  }
  return { kind: 'basic' };
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
  realm.hash = '';
  return realm;
}
