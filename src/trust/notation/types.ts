import type { Certificate } from './certificate.ts';
import type { RevocationList } from './revocation-list.ts';
import type { SubjectName } from './subject-name.ts';

/** Authorities that are trusted together, by the name that trust policies give them. */
export interface TrustStore {
  /** `ca` vouches for who signs; `signingAuthority` for the time at which it signed as well. */
  readonly type: 'ca' | 'signingAuthority';
  readonly certificates: readonly Certificate[];
  /** Absent: a certificate that says where to ask whether it was revoked counts for nothing. */
  readonly revocations: readonly RevocationList[] | undefined;
}

/** Who signs with Notation: a certificate of one of these stores, for one of these names. */
export interface NotationSigner {
  /** What policies call it. */
  readonly name: string;
  readonly stores: readonly TrustStore[];
  readonly subjects: readonly (SubjectName | 'any')[];
}
