import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, type JWK } from 'jose';
import { type Configuration, Provider } from 'oidc-provider';
import type { ProviderConfig } from '../../src/config/providers.ts';
import { createTestCertificate } from './certificates.ts';

const CLIENT = { id: 'dockgate', secret: 'a-secret-of-the-client-0123456789' } as const;

export type Listener = (request: IncomingMessage, response: ServerResponse) => void;

/** A server of TLS on a free port, whose listener may be given when its address is known. */
export async function startTls() {
  const { certificate, key } = createTestCertificate({ names: ['127.0.0.1', 'localhost'] });
  const folder = mkdtempSync(join(tmpdir(), 'openid-'));
  const caFile = join(folder, 'ca.crt');
  writeFileSync(caFile, certificate);
  const state: { listener: Listener } = { listener: (_request, response) => response.end() };
  const server = createServer({ cert: certificate, key }, (request, response) =>
    state.listener(request, response),
  ).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  return {
    url: `https://localhost:${address.port}`,
    ca: certificate,
    caFile,
    listen(listener: Listener) {
      state.listener = listener;
    },
    close() {
      server.closeAllConnections();
      server.close();
      rmSync(folder, { recursive: true });
    },
  };
}

export async function newKey(kid: string): Promise<JWK> {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  return { ...(await exportJWK(privateKey)), kid, alg: 'RS256', use: 'sig' };
}

/** What a provider says of somebody. */
export interface OpenIdPerson {
  readonly sub: string;
  readonly claims: Readonly<Record<string, unknown>>;
}

export type OpenIdServer = Awaited<ReturnType<typeof startOpenIdServer>>;

/** The npm package `oidc-provider`: its own pages are passed at once by the person who is set here. */
export async function startOpenIdServer(redirectUri: string, signedOutUri: string) {
  const tls = await startTls();
  const state: { person: OpenIdPerson; isDenied: boolean } = {
    person: { sub: 'subject-1', claims: { preferred_username: 'Carol', groups: ['crew'] } },
    isDenied: false,
  };
  /** Serves with these keys from now on, as a provider does after a rotation. */
  function serve(keys: readonly JWK[]): void {
    tls.listen(listenerOf(new Provider(tls.url, configuration(keys)), state));
  }
  const configuration = (keys: readonly JWK[]): Configuration => ({
    clients: [
      {
        client_id: CLIENT.id,
        client_secret: CLIENT.secret,
        redirect_uris: [redirectUri],
        post_logout_redirect_uris: [signedOutUri],
      },
    ],
    jwks: { keys: [...keys] },
    claims: {
      openid: ['sub'],
      profile: ['preferred_username', 'groups'],
      email: ['email', 'email_verified'],
    },
    pkce: { required: () => true },
    cookies: { keys: ['only for tests'] },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_context, { uid }) => `/interaction/${uid}` },
    async findAccount(_context, sub) {
      return { accountId: sub, claims: async () => ({ ...state.person.claims, sub }) };
    },
  });
  const first = await newKey('k1');
  serve([first]);
  return { ...tls, state, serve, firstKey: first };
}

function listenerOf(
  provider: Provider,
  state: { readonly person: OpenIdPerson; readonly isDenied: boolean },
): Listener {
  const rest = provider.callback();
  const finish = async (request: IncomingMessage, response: ServerResponse) => {
    const { params } = await provider.interactionDetails(request, response);
    if (state.isDenied) {
      await provider.interactionFinished(request, response, { error: 'access_denied' });
      return;
    }
    const grant = new provider.Grant({ accountId: state.person.sub, clientId: CLIENT.id });
    grant.addOIDCScope(String(params.scope));
    const grantId = await grant.save();
    const result = { login: { accountId: state.person.sub }, consent: { grantId } };
    await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
  };
  return (request, response) => {
    if (request.url?.startsWith('/interaction/')) {
      finish(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)));
    } else void rest(request, response);
  };
}

/** The configuration of a provider at `issuer`. */
export function providerConfig(
  server: { readonly url: string; readonly caFile: string },
  more: Partial<ProviderConfig> = {},
): ProviderConfig {
  return {
    ...{ id: 'corp', label: 'Corp SSO', issuer: server.url },
    ...{ clientId: CLIENT.id, clientSecret: CLIENT.secret, scopes: ['profile', 'email'] },
    ...{ nameClaim: 'preferred_username', groupsClaim: 'groups', emailDomains: [] },
    ...{ lifetimeMs: 86_400_000, caFile: server.caFile, allowsPrivate: true },
    ...more,
  };
}
