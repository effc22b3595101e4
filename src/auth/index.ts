/** Proves a principal; issues, checks and revokes tokens. Entered by gateway/ and api/; ports implemented by store/ and cluster/. */

export type { Authentication, Unproved } from './authentication.ts';
export type { Authenticator, AuthenticatorParts } from './authenticator.ts';
export { createAuthenticator } from './authenticator.ts';
export type { AuthorizationHeader, Credential } from './authorization.ts';
export { authorizationOf, parseAuthorization } from './authorization.ts';
export type { BreachedPasswords } from './breached.ts';
export { openBreachedPasswords } from './breached.ts';
export type { CertificateRule, ClientCertificatesOptions } from './client-certificates.ts';
export { createClientCertificates } from './client-certificates.ts';
export type {
  FactorConfirmation,
  KeptFactor,
  LastUse,
  LiveToken,
  NewLife,
  PersonalToken,
  PersonalTokenReads,
  PersonalTokenWrites,
  PreviousSecret,
  Rotation,
  SecondFactorWrites,
} from './credential-ports.ts';
export type { Directory, DirectoryOptions, DirectoryParts } from './directory.ts';
export { createDirectory } from './directory.ts';
export { expiryWarning } from './expiry.ts';
export type {
  ExternalDirectory,
  ExternalPerson,
  ExternalSignIn,
} from './external-ports.ts';
export { externalHash } from './external-ports.ts';
export type { Identity, IdentityVia } from './identity.ts';
export { ANONYMOUS_IDENTITY, LOCAL_IDENTITY } from './identity.ts';
export type { FetchDocument } from './issuer-keys.ts';
export type { KeyRingParts, OpenKeyRing } from './key-ring.ts';
export { addTokenKey, ensureTokenKey, openKeyRing, printJwks, removeTokenKey } from './key-ring.ts';
export { parseAccountName } from './names.ts';
export { codeAt } from './one-time-codes.ts';
export { PASSWORD_LENGTH_MIN, passwordProblem } from './password-floor.ts';
export type { PasswordHasher, PasswordHashOptions } from './password-hash.ts';
export { createPasswordHasher, DEFAULT_PASSWORD_HASH_OPTIONS } from './password-hash.ts';
export type {
  Access,
  AccessStep,
  Account,
  AccountReads,
  AccountWrites,
  Attempts,
  GrantPlace,
  Group,
  KeyRing,
  NewGrant,
  RefreshToken,
  SigningKey,
} from './ports.ts';
export type { ProgramDecision, ProgramSignIn } from './program-ports.ts';
export type { ProgramSignIns, ProgramSignInsParts, WaitingProgram } from './program-sign-ins.ts';
export { createProgramSignIns } from './program-sign-ins.ts';
export type { ProviderFlow, ProviderPerson, SignInProvider } from './provider-ports.ts';
export { ProviderProblem, providerName } from './provider-ports.ts';
export type { ProvedByProvider } from './provider-sign-in.ts';
export type {
  RefreshCause,
  RefreshCheck,
  RefreshTokens,
  RefreshTokensOptions,
  RefreshTokensParts,
} from './refresh-tokens.ts';
export { createRefreshTokens, DEFAULT_REFRESH_OPTIONS } from './refresh-tokens.ts';
export type { Seal } from './seal.ts';
export { createSeal } from './seal.ts';
export type { SecondFactor, SecondFactorParts } from './second-factor.ts';
export { createSecondFactor } from './second-factor.ts';
export {
  hashSecret,
  isPersonalSecret,
  isRobotSecret,
  isSecretOf,
  newPersonalSecret,
  newRobotSecret,
} from './secrets.ts';
export type { ShownCertificate } from './shown-certificate.ts';
export { certificateOf, forgetCertificate } from './shown-certificate.ts';
export type { External, SignInParts, SignInRequest } from './sign-in.ts';
export type { TokenClaims } from './token-claims.ts';
export type {
  IssuedToken,
  TokenCause,
  TokenCheck,
  TokenIssuer,
  TokenIssuerOptions,
  TokenIssuerParts,
} from './tokens.ts';
export { createTokenIssuer } from './tokens.ts';
export type { WorkloadParts, WorkloadSignIn } from './workload.ts';
export { createWorkloadSignIn } from './workload.ts';
export type { WorkloadIssuer, WorkloadRule } from './workload-rules.ts';
