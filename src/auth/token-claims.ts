import { type Digest, type JsonValue, parseDigest, parseStrictJson } from '../oci/index.ts';
import type { Principal, Scope } from '../roles/index.ts';
import { ANONYMOUS } from './identity.ts';

/** What a verified access token says. */
export interface TokenClaims {
  readonly tokenId: string;
  readonly principal: Principal;
  readonly scopes: readonly Scope[];
  /** The personal access token that was shown for it. */
  readonly personalTokenId?: string;
  /** The refresh token that was shown for it. */
  readonly sessionId?: string;
  /** Of a scan: the one image that may be pulled by it, and nothing else done. */
  readonly onlyImage?: Digest;
  /** When the credential was shown for which the token was given; what revokes the one revokes the other. */
  readonly provedAtMs: number;
  readonly issuedAtMs: number;
  /** Half-open: at this millisecond the token is over. */
  readonly expiresAtMs: number;
}

/** The private claim beside the registered ones: what they cannot say. */
interface OwnClaim {
  readonly kind: Principal['kind'];
  readonly name: string;
  readonly personalTokenId?: string;
  readonly sessionId?: string;
  readonly onlyImage?: string;
  /** In milliseconds: the whole seconds of `iat` are too coarse to compare with the instant of a revocation. */
  readonly provedAtMs: number;
}

const SCOPE_COUNT_MAX = 100;
const LEEWAY_MS = 60_000;

/** @see distribution docs/content/spec/auth/jwt.md; `sub` is the account's id, which is never used again. */
export function writeClaims(
  claims: TokenClaims,
  names: { readonly issuer: string; readonly service: string },
): Record<string, unknown> {
  const { principal, provedAtMs, issuedAtMs, expiresAtMs, personalTokenId, sessionId } = claims;
  const own: OwnClaim = {
    kind: principal.kind,
    name: principal.name,
    provedAtMs,
    ...(personalTokenId === undefined ? {} : { personalTokenId }),
    ...(sessionId === undefined ? {} : { sessionId }),
    ...(claims.onlyImage === undefined ? {} : { onlyImage: claims.onlyImage }),
  };
  return {
    iss: names.issuer,
    sub: principal.id,
    aud: names.service,
    exp: Math.floor(expiresAtMs / 1000),
    nbf: Math.floor(issuedAtMs / 1000),
    iat: Math.floor(issuedAtMs / 1000),
    jti: claims.tokenId,
    access: claims.scopes,
    dockgate: own,
  };
}

/**
 * Reads the claims of a token whose signature holds. Strictly: whoever signs with our key by mistake, or an older
 * version of us, must not be understood better than it spoke.
 *
 * @returns `undefined` when anything is missing, of another type, or said twice.
 */
export function readClaims(payload: Uint8Array): TokenClaims | undefined {
  const result = parseStrictJson(payload);
  if (!result.ok || !isObject(result.value)) return undefined;
  const { sub, jti, exp, iat, access, dockgate } = result.value;
  if (typeof exp !== 'number' || typeof iat !== 'number' || typeof jti !== 'string' || jti === '')
    return undefined;
  const own = readOwn(dockgate);
  const principal = own && readPrincipal(sub, own);
  const scopes = readScopes(access);
  if (!own || !principal || !scopes) return undefined;
  const onlyImage = own.onlyImage === undefined ? undefined : parseDigest(own.onlyImage);
  // One that could not be read would lift the limit that it stands for.
  if (own.onlyImage !== undefined && !onlyImage) return undefined;
  return {
    tokenId: jti,
    principal,
    scopes,
    ...(own.personalTokenId === undefined ? {} : { personalTokenId: own.personalTokenId }),
    ...(own.sessionId === undefined ? {} : { sessionId: own.sessionId }),
    ...(onlyImage ? { onlyImage } : {}),
    provedAtMs: own.provedAtMs,
    issuedAtMs: iat * 1000,
    expiresAtMs: exp * 1000,
  };
}

/** The leeway is for clocks of replicas that differ; it never lengthens a token's life. */
export function isOver(claims: Pick<TokenClaims, 'expiresAtMs'>, nowMs: number): boolean {
  return nowMs >= claims.expiresAtMs;
}

export function isFromTheFuture(claims: Pick<TokenClaims, 'issuedAtMs'>, nowMs: number): boolean {
  return claims.issuedAtMs > nowMs + LEEWAY_MS;
}

function readOwn(value: JsonValue | undefined): OwnClaim | undefined {
  if (!isObject(value)) return undefined;
  const { kind, name, provedAtMs, personalTokenId, sessionId, onlyImage } = value;
  if (kind !== 'user' && kind !== 'robot' && kind !== 'anonymous') return undefined;
  if (typeof name !== 'string' || typeof provedAtMs !== 'number') return undefined;
  // One that could not be read would lift the limit that it stands for.
  if (personalTokenId !== undefined && typeof personalTokenId !== 'string') return undefined;
  if (sessionId !== undefined && typeof sessionId !== 'string') return undefined;
  if (onlyImage !== undefined && typeof onlyImage !== 'string') return undefined;
  return {
    ...{ kind, name, provedAtMs },
    ...(onlyImage === undefined ? {} : { onlyImage }),
    ...(personalTokenId === undefined ? {} : { personalTokenId }),
    ...(sessionId === undefined ? {} : { sessionId }),
  };
}

function readPrincipal(sub: JsonValue | undefined, own: OwnClaim): Principal | undefined {
  if (typeof sub !== 'string') return undefined;
  if (own.kind === 'anonymous') return sub === '' ? ANONYMOUS : undefined;
  return sub === '' ? undefined : { kind: own.kind, id: sub, name: own.name };
}

function readScopes(value: JsonValue | undefined): readonly Scope[] | undefined {
  if (!Array.isArray(value) || value.length > SCOPE_COUNT_MAX) return undefined;
  const scopes = value.map(readScope);
  return scopes.every((scope) => scope !== undefined) ? scopes : undefined;
}

function readScope(value: JsonValue): Scope | undefined {
  if (!isObject(value)) return undefined;
  // A member that we do not write, such as `class`, could narrow the scope in a way that we would miss.
  const { type, name, actions, ...others } = value;
  if (typeof type !== 'string' || typeof name !== 'string' || Object.keys(others).length > 0)
    return undefined;
  if (!Array.isArray(actions) || !actions.every((action) => typeof action === 'string')) return undefined;
  return { type, name, actions };
}

function isObject(value: JsonValue | undefined): value is { readonly [key: string]: JsonValue } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
