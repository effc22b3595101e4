import { type Authentication, notAccepted } from './authentication.ts';
import { parseAuthorization } from './authorization.ts';
import type { ClientCertificates } from './client-certificates.ts';
import type { Directory } from './directory.ts';
import { ANONYMOUS_IDENTITY } from './identity.ts';
import { createProviderSignIn, type ProvedByProvider } from './provider-sign-in.ts';
import type { RefreshTokens } from './refresh-tokens.ts';
import type { ShownCertificate } from './shown-certificate.ts';
import { createSignIn, type SignInParts, type SignInRequest } from './sign-in.ts';
import type { TokenIssuer } from './tokens.ts';

export interface AuthenticatorParts extends SignInParts {
  readonly directory: Pick<Directory, 'accessOf' | 'isLive' | 'isSessionLive'>;
  readonly tokens: Pick<TokenIssuer, 'verify'>;
  readonly refreshTokens: Pick<RefreshTokens, 'check'>;
  /** Absent: no client certificates are asked for. */
  readonly certificates?: ClientCertificates | undefined;
}

/** A certificate stands beside every way to prove oneself. */
interface WithCertificate {
  readonly certificate?: ShownCertificate | undefined;
}

/** Proves who asks. Every way ends at the account as it is now, so that revoking stops the next request. */
export interface Authenticator {
  /**
   * For any request: no header is anonymous, Basic a user's password or a robot's secret, Bearer an access token.
   * An access token is never counted as an attempt to sign in, so no limit can lock out one that works.
   */
  authenticate(
    request: {
      /** As `authorizationOf` gives it. */
      readonly authorization: string | undefined;
      /** Where from, as `sourceOf` gives it. */
      readonly source: string;
    } & WithCertificate,
  ): Promise<Authentication>;
  /** For the token endpoint's `grant_type=password`, and for sign-in forms. */
  signIn(request: SignInRequest & WithCertificate): Promise<Authentication>;
  /** For somebody whom an OpenID provider has just proved on its own pages. */
  signInProved(request: ProvedByProvider & WithCertificate): Promise<Authentication>;
  /** For what is proved elsewhere: it counts only as what certificate is shown beside it allows. */
  beside(shown: WithCertificate, prove: () => Promise<Authentication>): Promise<Authentication>;
  /** For `grant_type=refresh_token`, and for the session of a browser. */
  refresh(
    request: {
      readonly token: string;
      readonly service: string;
      readonly source: string;
      /** Longest time since it was issued; none unless said. */
      readonly ageMsMax?: number;
    } & WithCertificate,
  ): Promise<Authentication>;
  close(): void;
}

export function createAuthenticator(parts: AuthenticatorParts): Authenticator {
  const { tokens, refreshTokens, directory } = parts;
  const signIn = createSignIn(parts);
  const signInProved = createProviderSignIn(parts);

  async function checkBearer(token: string): Promise<Authentication> {
    const check = await tokens.verify(token);
    if (!check.ok) return notAccepted(`token.${check.cause}`);
    const { principal, scopes, tokenId, provedAtMs, personalTokenId, sessionId, onlyImage } = check.claims;
    const by = {
      ...(personalTokenId === undefined ? {} : { personalTokenId }),
      ...(onlyImage === undefined ? {} : { onlyImage }),
    };
    if (!(await directory.isLive(principal, provedAtMs, personalTokenId)))
      return notAccepted('token.revoked', principal.name);
    if (sessionId !== undefined && !(await directory.isSessionLive(principal, sessionId)))
      return notAccepted('token.revoked', principal.name);
    return { ok: true, identity: { principal, via: 'token', tokenId, provedAtMs, scopes, ...by } };
  }

  async function checkHeader(authorization: string | undefined, source: string): Promise<Authentication> {
    if (authorization === undefined) return { ok: true, identity: ANONYMOUS_IDENTITY };
    const credential = parseAuthorization(authorization);
    if (!credential) return notAccepted('authorization.malformed');
    if (credential.kind === 'bearer') return checkBearer(credential.token);
    return signIn.signIn({ name: credential.name, secret: credential.secret, source });
  }

  function beside(
    { certificate }: WithCertificate,
    prove: () => Promise<Authentication>,
  ): Promise<Authentication> {
    return parts.certificates ? parts.certificates.withCertificate(certificate, prove) : prove();
  }

  return {
    beside,
    authenticate: (request) => beside(request, () => checkHeader(request.authorization, request.source)),
    signIn: (request) => beside(request, () => signIn.signIn(request)),
    signInProved: (request) => beside(request, () => signInProved(request)),
    refresh: (request) =>
      beside(request, async () => {
        const check = await refreshTokens.check(request);
        return check.ok ? check : notAccepted(`refresh-token.${check.cause}`);
      }),
    close: () => signIn.close(),
  };
}
