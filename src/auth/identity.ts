import type { Digest } from '../oci/index.ts';
import type { Principal, Scope } from '../roles/index.ts';

/** How the caller of one request proved who it is. The words are those of the access log. */
export type IdentityVia =
  | 'anonymous'
  | 'basic'
  | 'token'
  | 'refresh-token'
  | 'robot'
  | 'personal-token'
  | 'workload'
  | 'oidc'
  | 'browser'
  | 'certificate'
  | 'socket';

/** Who asks, proved just now. */
export interface Identity {
  readonly principal: Principal;
  readonly via: IdentityVia;
  /** jti of the access token, id of the refresh token or of the personal one; never the token. */
  readonly tokenId?: string;
  /** The personal access token behind this identity, whose life and part of the rights limit it. */
  readonly personalTokenId?: string;
  /** That the credential ends soon, for the person. */
  readonly warning?: string;
  /**
   * When the password, secret or refresh token was shown; a token made from this identity counts from then, so
   * that a revocation in between ends it too.
   */
  readonly provedAtMs?: number;
  /** Of a scan's token: the one image that may be pulled by it, judged or not, and nothing else done. */
  readonly onlyImage?: Digest;
  /** What the token holds; `undefined` where no token limits the caller. */
  readonly scopes: readonly Scope[] | undefined;
}

export const ANONYMOUS: Principal = { kind: 'anonymous', id: '', name: 'anonymous' };

export const ANONYMOUS_IDENTITY: Identity = { principal: ANONYMOUS, via: 'anonymous', scopes: undefined };

/** Whoever could open the server's own socket; only the listener of that socket may hand it out. */
export const LOCAL_IDENTITY: Identity = {
  principal: { kind: 'local', id: 'local', name: 'local' },
  via: 'socket',
  scopes: undefined,
};
