/**
 * Tokens, administration, audit search: everything on the TLS port that is not below /v2, by Express. Entered by app/.
 */
export { createApi } from './api.ts';
export type { ExplanationShape, GrantShape, HeldShape, ImageShape, UserShape } from './contract.ts';
export type {
  ApiOptions,
  ApiParts,
  FeedRefresh,
  LogKeeper,
  LogState,
  Registries,
  Reports,
  WebhookKeeper,
} from './parts.ts';
