import * as client from 'openid-client';
import { type ProviderFlow, ProviderProblem, type SignInProvider } from '../auth/index.ts';
import { type Clock, MINUTE_MS, type Random } from '../base/index.ts';
import { type ClaimOptions, type Claims, personOf } from './claims.ts';
import { providerProblemOf } from './problems.ts';

export interface OidcOptions extends ClaimOptions {
  readonly id: string;
  readonly label: string;
  readonly issuer: string;
  readonly clientId: string;
  /** Absent: a public client, which PKCE alone protects. */
  readonly clientSecret: string | undefined;
  /** `openid` is always asked for. */
  readonly scopes: readonly string[];
  readonly lifetimeMs: number;
}

/** Port, implemented by `app/`: https only, of bounded size and time, without redirects. */
export type FetchProvider = client.CustomFetch;

export interface OidcParts {
  readonly fetch: FetchProvider;
  readonly clock: Clock;
  readonly random: Random;
}

const METADATA_FRESH_MS = 10 * MINUTE_MS;
const TIMEOUT_SECONDS = 10;
/** Asymmetric only: neither `none` nor an HMAC under a secret that others may know (T-01, T-02). */
const ALGORITHM = /^(?:(?:RS|PS|ES)(?:256|384|512)|EdDSA|Ed25519)$/;
const SECRET_BYTES = 32;

/**
 * One provider, by the authorization code flow with PKCE, state and nonce.
 *
 * @see OpenID Connect Core 1.0 chapter 3.1; RFC 7636; RFC 9207; RFC 9700
 */
export function createOidcProvider(options: OidcOptions, parts: OidcParts): SignInProvider {
  const { clock, random } = parts;
  const { clientId, clientSecret } = options;
  let held: { readonly metadata: client.ServerMetadata; readonly atMs: number } | undefined;

  async function readMetadata(): Promise<client.ServerMetadata> {
    if (held && clock.monotonicMs() - held.atMs < METADATA_FRESH_MS) return held.metadata;
    const found = await client.discovery(new URL(options.issuer), clientId, undefined, undefined, {
      [client.customFetch]: parts.fetch,
      timeout: TIMEOUT_SECONDS,
    });
    const { supportsPKCE: _supportsPkce, ...metadata } = found.serverMetadata();
    // Some templates let a document speak for another issuer; here it speaks for the one that was asked alone.
    if (metadata.issuer !== options.issuer) {
      throw new ProviderProblem('away', 'the discovery document names another issuer');
    }
    held = { metadata, atMs: clock.monotonicMs() };
    return metadata;
  }

  /** Made anew each time, so that the provider's keys are read with each sign-in: a removed one counts no more. */
  async function configure(): Promise<client.Configuration> {
    const metadata = await readMetadata();
    const offered = metadata.id_token_signing_alg_values_supported ?? ['RS256'];
    const config = new client.Configuration(
      {
        ...metadata,
        id_token_signing_alg_values_supported: offered.filter((name) => ALGORITHM.test(name)),
      },
      clientId,
      undefined,
      clientSecret === undefined ? client.None() : client.ClientSecretBasic(clientSecret),
    );
    config[client.customFetch] = parts.fetch;
    config.timeout = TIMEOUT_SECONDS;
    // The signature is checked although the token came straight from the provider.
    client.enableNonRepudiationChecks(config);
    return config;
  }

  function newSecret(): string {
    return Buffer.from(random.bytes(SECRET_BYTES)).toString('base64url');
  }

  async function claimsOf(config: client.Configuration, callback: URL, flow: ProviderFlow) {
    const tokens = await client.authorizationCodeGrant(config, callback, {
      expectedState: flow.state,
      expectedNonce: flow.nonce,
      pkceCodeVerifier: flow.verifier,
      idTokenExpected: true,
    });
    const claims = tokens.claims();
    if (!claims) throw new ProviderProblem('answer', 'the provider gave no ID token');
    const more = await userInfo(config, tokens.access_token, claims);
    return { subject: claims.sub, claims: { ...more, ...claims } };
  }

  /** Many providers say groups there alone. The subject must be the same. */
  async function userInfo(
    config: client.Configuration,
    accessToken: string,
    claims: { readonly sub: string } & Claims,
  ): Promise<Claims> {
    const wanted = [
      options.nameClaim,
      options.groupsClaim,
      ...(options.emailDomains.length === 0 ? [] : ['email', 'email_verified']),
    ];
    const isWhole = wanted.every((claim) => claims[claim] !== undefined);
    if (isWhole || config.serverMetadata().userinfo_endpoint === undefined) return {};
    return client.fetchUserInfo(config, accessToken, claims.sub);
  }

  return {
    id: options.id,
    label: options.label,
    issuer: options.issuer,
    lifetimeMs: options.lifetimeMs,
    async begin(redirectUri) {
      const flow = { state: newSecret(), nonce: newSecret(), verifier: newSecret() };
      try {
        const url = client.buildAuthorizationUrl(await configure(), {
          redirect_uri: redirectUri,
          scope: [...new Set(['openid', ...options.scopes])].join(' '),
          state: flow.state,
          nonce: flow.nonce,
          code_challenge: await client.calculatePKCECodeChallenge(flow.verifier),
          code_challenge_method: 'S256',
        });
        return { url: url.href, flow };
      } catch (error) {
        throw providerProblemOf(error);
      }
    },
    async finish(callback, flow) {
      try {
        const { subject, claims } = await claimsOf(await configure(), callback, flow);
        return personOf(subject, claims, options);
      } catch (error) {
        throw providerProblemOf(error);
      }
    },
    async signOutUrl(returnTo) {
      const config = await configure().catch(() => undefined);
      const endpoint = config?.serverMetadata().end_session_endpoint;
      if (!config || endpoint === undefined || !endpoint.startsWith('https:')) return undefined;
      return client.buildEndSessionUrl(config, { post_logout_redirect_uri: returnTo }).href;
    },
  };
}
