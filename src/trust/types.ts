import type { KeyObject } from 'node:crypto';
import type { TrustMaterial } from '@sigstore/verify';
import type { Attested } from '../policy/index.ts';
import type { NotationSigner } from './notation/types.ts';

/** A public key of the configuration, and whether a signature by it still counts. */
export interface TrustedKey {
  /** What policies call it. */
  readonly name: string;
  readonly key: KeyObject;
  readonly isRevoked: boolean;
  /** Half-open: at this millisecond its signatures no longer count, whenever they were made. */
  readonly untilMs?: number;
}

/** Who signs without a key of their own: by a certificate that says who they are. */
export interface TrustedIdentity {
  /** What policies call it. */
  readonly name: string;
  /** The OIDC issuer that the certificate names, exactly. */
  readonly issuer: string;
  /** Pattern with `*` of the certificate's subject alternative name. */
  readonly subject: string;
}

/** Whose signatures count. */
export interface Trust {
  readonly keys: readonly TrustedKey[];
  readonly identities: readonly TrustedIdentity[];
  /** Certificate authorities and transparency logs; absent: no certificate counts by identity. */
  readonly root?: TrustMaterial;
  readonly notation: readonly NotationSigner[];
}

/** What one signature is worth: for whom it speaks, or in one clause why for nobody. */
export type Outcome =
  | { readonly ok: true; readonly attested: readonly Attested[] }
  | {
      readonly ok: false;
      readonly why: string;
      /** Time alone may change it, without anything here changing. */
      readonly isForNow?: true;
    };

/** What vouches for one digest. */
export interface Vouched {
  readonly attested: readonly Attested[];
  /** One clause for each signature that counts for nothing. */
  readonly rejected: readonly string[];
}
