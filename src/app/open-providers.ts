import { fetch } from 'undici';
import type { SignInProvider } from '../auth/index.ts';
import type { Clock, Random } from '../base/index.ts';
import { createOidcProvider, type FetchProvider } from '../oidc/index.ts';
import { createIssuerLine, type IssuerLineOptions } from './issuer-line.ts';
import type { NodeConfig } from './node-config.ts';

/** The OpenID providers on whose pages people may sign in. */
export function openProviders(
  { providers }: Pick<NodeConfig, 'providers'>,
  parts: { readonly clock: Clock; readonly random: Random },
): readonly SignInProvider[] {
  return providers.map((provider) =>
    createOidcProvider(provider, { ...parts, fetch: createProviderFetch(provider) }),
  );
}

/** No redirect is followed: it would carry the client's secret elsewhere. */
function createProviderFetch(options: IssuerLineOptions): FetchProvider {
  const line = createIssuerLine(options);
  return async (url, { method, headers, body, signal }) => {
    const answer = await fetch(line.check(url), {
      method,
      headers,
      dispatcher: line.dispatcher,
      redirect: 'manual',
      signal: AbortSignal.any([AbortSignal.timeout(line.timeMsMax), ...(signal ? [signal] : [])]),
      ...(body === undefined || body === null ? {} : { body: textOf(body) }),
    });
    // The same interface as the global one, declared by the package.
    return answer as unknown as Response;
  };
}

/** The library sends forms alone. */
function textOf(body: unknown): string {
  if (body instanceof URLSearchParams) return body.toString();
  if (typeof body === 'string') return body;
  throw new Error('only forms are sent to a provider');
}
