import type { Clock } from '../../src/base/index.ts';

/** A question to a token service. */
export interface TokenRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly form: URLSearchParams;
  readonly basic: { readonly username: string; readonly password: string } | undefined;
}

/** The answer of a token service; `scopes` are what its token holds, absent where it gives none. */
export interface TokenAnswer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
  /** The member of `body` that is the token to be honoured, and for what. */
  readonly grants?: {
    readonly token: string;
    readonly scopes: readonly string[];
    readonly lifetimeMs: number;
  };
}

/** What one vendor does its own way. Written from the vendors' documentation, not from what our client sends. */
export interface Dialect {
  readonly name: string;
  /** Its token service has a host of its own. */
  readonly hasAuthHost: boolean;
  /** WWW-Authenticate for a path below /v2/; `scope` is what the path really needs. */
  challenge(origins: Origins, scope: string | undefined): string;
  /** Absent: Basic, no token service. */
  token?(request: TokenRequest, world: World): TokenAnswer;
  /** Where a manifest GET is counted. */
  readonly pullsMax?: number;
  readonly hasCatalog: boolean;
}

export interface Origins {
  readonly registry: string;
  readonly auth: string;
}

export interface World {
  readonly clock: Clock;
  readonly origins: Origins;
  newToken(): string;
}

export const ACCOUNTS = {
  hub: { username: 'corp', password: 'dckr_pat_1' },
  ghcr: { username: 'anybody', password: 'ghp_2' },
  gar: { username: '_json_key', password: '{\n  "type": "service_account",\n  "private_key": "k:3"\n}' },
  acr: { username: '00000000-0000-0000-0000-000000000000', password: 'admin-4' },
} as const;

export const ECR_LIFETIME_MS = 12 * 3_600_000;

const DENIED: TokenAnswer = { status: 401, body: { details: 'incorrect username or password' } };

const isAccount = (
  request: TokenRequest,
  account: { readonly username: string; readonly password: string },
) => request.basic?.username === account.username && request.basic.password === account.password;

const scopesOf = (texts: readonly string[]) =>
  texts.flatMap((text) => text.split(' ')).filter((text) => text !== '');

/** docs.docker.com/reference/api/registry/auth; usage limits: docs.docker.com/docker-hub/usage/pulls */
export const dockerHub: Dialect = {
  name: 'Docker Hub',
  hasAuthHost: true,
  hasCatalog: false,
  pullsMax: 3,
  challenge: ({ auth }, scope) =>
    `Bearer realm="${auth}/token",service="registry.docker.io"${scope ? `,scope="${scope}"` : ''}`,
  token(request, world) {
    if (request.method !== 'GET' || request.path !== '/token') return { status: 404, body: {} };
    if (request.query.get('service') !== 'registry.docker.io') return { status: 400, body: {} };
    if (request.basic && !isAccount(request, ACCOUNTS.hub)) return DENIED;
    const token = world.newToken();
    const issued = new Date(world.clock.nowMs()).toISOString();
    return {
      status: 200,
      body: { token, access_token: token, expires_in: 300, issued_at: issued },
      grants: { token, scopes: scopesOf(request.query.getAll('scope')), lifetimeMs: 300_000 },
    };
  },
};

/** The challenge names a placeholder whatever was asked, and a token for it opens nothing. */
export const ghcr: Dialect = {
  name: 'GHCR',
  hasAuthHost: false,
  hasCatalog: false,
  challenge: ({ registry }) =>
    `Bearer realm="${registry}/token",service="ghcr.io",scope="repository:user/image:pull"`,
  token(request, world) {
    if (request.method !== 'GET' || request.path !== '/token') return { status: 405, body: {} };
    // Any user name will do; the access token is what counts.
    if (request.basic?.password !== ACCOUNTS.ghcr.password) return DENIED;
    const token = world.newToken();
    const scopes = scopesOf(request.query.getAll('scope'));
    return { status: 200, body: { token }, grants: { token, scopes, lifetimeMs: 300_000 } };
  },
};

/** docs.aws.amazon.com/AmazonECR: no token service; the password of GetAuthorizationToken lives 12 hours. */
export const ecr: Dialect = {
  name: 'ECR',
  hasAuthHost: false,
  hasCatalog: true,
  challenge: ({ registry }) => `Basic realm="${registry}/",service="ecr.amazonaws.com"`,
};

/** cloud.google.com/artifact-registry/docs/docker/authentication */
export const gar: Dialect = {
  name: 'GAR',
  hasAuthHost: false,
  hasCatalog: true,
  challenge: ({ registry }) => `Bearer realm="${registry}/v2/token",service="europe-docker.pkg.dev"`,
  token(request, world) {
    if (request.method !== 'GET' || request.path !== '/v2/token') return { status: 404, body: {} };
    if (!isAccount(request, ACCOUNTS.gar)) return DENIED;
    const token = world.newToken();
    const scopes = scopesOf(request.query.getAll('scope'));
    return {
      status: 200,
      body: { expires_in: 43200, token },
      grants: { token, scopes, lifetimeMs: 43_200_000 },
    };
  },
};

/** azure.github.io/acr: Token-BasicAuth and AAD-OAuth; the access token has no `token` beside it and states no life. */
export const acr: Dialect = {
  name: 'ACR',
  hasAuthHost: false,
  hasCatalog: true,
  challenge: ({ registry }, scope) =>
    `Bearer realm="${registry}/oauth2/token",service="corp.azurecr.io"${scope ? `,scope="${scope}"` : ''}`,
  token(request, world) {
    if (request.path === '/oauth2/exchange') return exchange(request, world);
    if (request.path !== '/oauth2/token') return { status: 404, body: {} };
    const isPost = request.method === 'POST';
    const asked = isPost ? request.form : request.query;
    if (asked.get('service') !== 'corp.azurecr.io') return { status: 400, body: {} };
    const isKnown = isPost
      ? asked.get('grant_type') === 'refresh_token' &&
        isLiveRefreshToken(asked.get('refresh_token'), world.clock)
      : isAccount(request, ACCOUNTS.acr);
    if (!isKnown) return { status: 401, body: { errors: [{ code: 'UNAUTHORIZED' }] } };
    const token = world.newToken();
    const scopes = scopesOf(asked.getAll('scope'));
    return { status: 200, body: { access_token: token }, grants: { token, scopes, lifetimeMs: 75 * 60_000 } };
  },
};

/** The Entra ID token that the registry takes at a time: they live an hour. */
export const entraTokenAt = (nowMs: number) => `entra-${Math.floor(nowMs / 3_600_000)}`;

const REFRESH_LIFETIME_SECONDS = 3 * 3600;

function exchange({ method, form }: TokenRequest, { clock }: World): TokenAnswer {
  const isRight =
    method === 'POST' &&
    form.get('grant_type') === 'access_token' &&
    form.get('service') === 'corp.azurecr.io' &&
    form.get('access_token') === entraTokenAt(clock.nowMs());
  if (!isRight) return { status: 401, body: { errors: [{ code: 'UNAUTHORIZED' }] } };
  const issued = Math.floor(clock.nowMs() / 1000);
  return { status: 200, body: { refresh_token: refreshTokenOf(issued) } };
}

/** A refresh token as ACR gives it: a JWT, whose signature nobody looks at here. */
export function refreshTokenOf(issuedSeconds: number): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = {
    iat: issuedSeconds,
    exp: issuedSeconds + REFRESH_LIFETIME_SECONDS,
    grant_type: 'refresh_token',
  };
  return `${part({ alg: 'RS256' })}.${part(claims)}.c2ln`;
}

function isLiveRefreshToken(token: string | null, clock: Clock): boolean {
  const nowSeconds = clock.nowMs() / 1000;
  for (let age = 0; age < REFRESH_LIFETIME_SECONDS; age += 1) {
    if (token === refreshTokenOf(Math.floor(nowSeconds) - age)) return true;
  }
  return false;
}
