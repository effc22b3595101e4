import { createPrivateKey, createPublicKey, hash, type KeyObject } from 'node:crypto';
import { errors, jwtVerify, SignJWT } from 'jose';
import { LRUCache } from 'lru-cache';
import { type Clock, newId, type Random } from '../base/index.ts';
import { type Digest, parseStrictJson } from '../oci/index.ts';
import type { Principal, Scope } from '../roles/index.ts';
import type { KeyRing, SigningKey } from './ports.ts';
import { isFromTheFuture, isOver, readClaims, type TokenClaims, writeClaims } from './token-claims.ts';

export interface TokenIssuerOptions {
  /** `iss`: the public URL. */
  readonly issuer: string;
  /** `aud`: the service's name in the challenge. */
  readonly service: string;
  readonly lifetimeSeconds: number;
}

export interface TokenIssuerParts {
  readonly keys: KeyRing;
  readonly clock: Clock;
  readonly random: Random;
}

export interface IssuedToken {
  readonly token: string;
  readonly tokenId: string;
  readonly issuedAtMs: number;
  readonly expiresInSeconds: number;
}

/** Why a token is not accepted; `token.<cause>` in the access log. The caller learns none of them. */
export type TokenCause =
  | 'malformed'
  | 'header'
  | 'kind'
  | 'algorithm'
  | 'key'
  | 'signature'
  | 'issuer'
  | 'audience'
  | 'expired'
  | 'early'
  | 'claims';

export type TokenCheck =
  | { readonly ok: true; readonly claims: TokenClaims }
  | { readonly ok: false; readonly cause: TokenCause };

export interface TokenIssuer {
  issue(token: {
    readonly principal: Principal;
    readonly scopes: readonly Scope[];
    /** Of the identity that asks; now, when it was not proved by a credential of its own (anonymous). */
    readonly provedAtMs?: number | undefined;
    readonly personalTokenId?: string | undefined;
    readonly sessionId?: string | undefined;
    /** Of a scan: nothing but this image may be pulled by it. */
    readonly onlyImage?: Digest | undefined;
  }): Promise<IssuedToken>;
  /** Says whether we made the token and it is not over. Whether its principal may still use it, `Directory` knows. */
  verify(token: string): Promise<TokenCheck>;
}

const ALGORITHM = 'ES256';
/** Names the kind of token, so that nothing else that we sign can be taken for one. @see RFC 8725, 3.11 */
const TOKEN_TYPE = 'dockgate-access+jwt';
const TOKEN_LENGTH_MAX = 8192;
const TOKEN_SHAPE = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;
const HEADER_MEMBERS: ReadonlySet<string> = new Set(['alg', 'kid', 'typ']);
const LEEWAY_SECONDS = 60;
const VERIFIED_MAX = 10_000;

interface LoadedKeys {
  readonly from: readonly SigningKey[];
  readonly byKid: ReadonlyMap<string, KeyObject>;
}

/** Makes access tokens and checks them: JWTs of a few minutes, ES256, for one audience. */
export function createTokenIssuer(options: TokenIssuerOptions, parts: TokenIssuerParts): TokenIssuer {
  const { clock, keys, random } = parts;
  // A signature that was right stays right while the key does: checking it again would cost 0.1 ms a request.
  const verified = new LRUCache<string, TokenClaims>({ max: VERIFIED_MAX });
  let loaded = loadKeys(keys.keys());

  /** What a removed key has signed is forgotten before the next token is looked at. */
  function followKeys(): void {
    if (loaded.from === keys.keys()) return;
    loaded = loadKeys(keys.keys());
    verified.clear();
  }

  async function check(token: string): Promise<TokenCheck> {
    const header = readHeader(token);
    if ('cause' in header) return { ok: false, cause: header.cause };
    const key = loaded.byKid.get(header.kid);
    if (!key) return { ok: false, cause: 'key' };
    const cause = await findCause(token, key, options, clock.nowMs());
    if (cause !== undefined) return { ok: false, cause };
    const claims = readClaims(Buffer.from(token.split('.')[1] ?? '', 'base64url'));
    return claims ? { ok: true, claims } : { ok: false, cause: 'claims' };
  }

  return {
    async issue({ principal, scopes, provedAtMs, personalTokenId, sessionId, onlyImage }) {
      const issuedAtMs = clock.nowMs();
      const key = signingKey(keys.keys(), issuedAtMs, options.lifetimeSeconds);
      const tokenId = newId(random);
      const claims = {
        tokenId,
        principal,
        scopes,
        ...(personalTokenId === undefined ? {} : { personalTokenId }),
        ...(sessionId === undefined ? {} : { sessionId }),
        ...(onlyImage === undefined ? {} : { onlyImage }),
        provedAtMs: provedAtMs ?? issuedAtMs,
        issuedAtMs,
        expiresAtMs: issuedAtMs + options.lifetimeSeconds * 1000,
      };
      const token = await new SignJWT(writeClaims(claims, options))
        .setProtectedHeader({ alg: ALGORITHM, kid: key.kid, typ: TOKEN_TYPE })
        .sign(createPrivateKey(key.privatePem));
      return { token, tokenId, issuedAtMs, expiresInSeconds: options.lifetimeSeconds };
    },
    async verify(token) {
      if (token.length > TOKEN_LENGTH_MAX || !TOKEN_SHAPE.test(token))
        return { ok: false, cause: 'malformed' };
      followKeys();
      const place = hash('sha256', token, 'base64');
      const known = verified.get(place);
      const result: TokenCheck = known ? { ok: true, claims: known } : await check(token);
      if (!result.ok) return result;
      if (isOver(result.claims, clock.nowMs())) return { ok: false, cause: 'expired' };
      if (isFromTheFuture(result.claims, clock.nowMs())) return { ok: false, cause: 'early' };
      verified.set(place, result.claims);
      return result;
    },
  };
}

/**
 * The newest key that has been published for one token life; before that, every verifier may not have read it.
 * The oldest when none is so old: it is the first one ever.
 */
function signingKey(keys: readonly SigningKey[], nowMs: number, lifetimeSeconds: number): SigningKey {
  const key = keys.find((one) => one.createdAtMs + lifetimeSeconds * 1000 <= nowMs) ?? keys.at(-1);
  if (!key) throw new Error('the key ring is empty; openKeyRing refuses to open such a one');
  return key;
}

/** Public keys by kid, in a Map: a kid is never a path, a query or a name in a prototype. */
function loadKeys(keys: readonly SigningKey[]): LoadedKeys {
  const byKid = new Map(keys.map((key) => [key.kid, createPublicKey(key.privatePem)]));
  return { from: keys, byKid };
}

/** Refuses what we would never write before any key is looked at: a header's own keys, `crit`, another `alg`. */
function readHeader(token: string): { readonly kid: string } | { readonly cause: TokenCause } {
  const result = parseStrictJson(Buffer.from(token.split('.')[0] ?? '', 'base64url'), 2);
  if (!result.ok) return { cause: 'malformed' };
  const header = result.value;
  if (typeof header !== 'object' || header === null || Array.isArray(header)) return { cause: 'malformed' };
  if (Object.keys(header).some((member) => !HEADER_MEMBERS.has(member))) return { cause: 'header' };
  const { alg, kid, typ } = Object.fromEntries(Object.entries(header));
  if (alg !== ALGORITHM) return { cause: 'algorithm' };
  if (typ !== TOKEN_TYPE) return { cause: 'kind' };
  return typeof kid === 'string' ? { kid } : { cause: 'key' };
}

async function findCause(
  token: string,
  key: KeyObject,
  options: TokenIssuerOptions,
  nowMs: number,
): Promise<TokenCause | undefined> {
  try {
    await jwtVerify(token, key, {
      algorithms: [ALGORITHM],
      issuer: options.issuer,
      audience: options.service,
      typ: TOKEN_TYPE,
      requiredClaims: ['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti'],
      clockTolerance: LEEWAY_SECONDS,
      currentDate: new Date(nowMs),
    });
    return undefined;
  } catch (error) {
    return causeOf(error);
  }
}

function causeOf(error: unknown): TokenCause {
  if (error instanceof errors.JWTExpired) return 'expired';
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'signature';
  if (error instanceof errors.JWTClaimValidationFailed) return causeOfClaim(error.claim);
  // Whatever else jose cannot accept is refused just the same; there is nothing to go on with.
  return error instanceof errors.JOSEError ? 'malformed' : 'signature';
}

function causeOfClaim(claim: string): TokenCause {
  if (claim === 'iss') return 'issuer';
  if (claim === 'aud') return 'audience';
  if (claim === 'nbf') return 'early';
  return 'claims';
}
