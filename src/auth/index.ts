/** Proves a principal; issues, checks and revokes tokens. Entered by gateway/ and api/; ports implemented by store/ and cluster/. */
export type {
  Access,
  Account,
  AccountReads,
  AccountWrites,
  Attempts,
  Group,
  KeyRing,
  NewGrant,
  RefreshToken,
  SigningKey,
} from './ports.ts';
