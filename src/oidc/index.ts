/** OpenID providers on whose pages people sign in. Entered by app/; implements a port of auth/. */

export type { ClaimOptions } from './claims.ts';
export type { FetchProvider, OidcOptions, OidcParts } from './oidc-provider.ts';
export { createOidcProvider } from './oidc-provider.ts';
