import { decodeJwt, decodeProtectedHeader, errors, type JWTPayload, jwtVerify } from 'jose';
import type { Clock, Logger } from '../base/index.ts';
import { type Authentication, notAccepted, tooManyAttempts } from './authentication.ts';
import type { Directory } from './directory.ts';
import { createIssuerKeys, type FetchDocument } from './issuer-keys.ts';
import type { AccountReads, Attempts } from './ports.ts';
import { robotFor, type WorkloadIssuer } from './workload-rules.ts';

export interface WorkloadParts<Issuer extends WorkloadIssuer = WorkloadIssuer> {
  readonly accounts: Pick<AccountReads, 'findAccountByName'>;
  readonly directory: Pick<Directory, 'isLive'>;
  readonly attempts: Attempts;
  readonly fetchDocument: (issuer: Issuer) => FetchDocument;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Proves a machine by the token that its CI server or cluster gave it: no secret of ours is kept there. */
export interface WorkloadSignIn {
  prove(request: { readonly token: string; readonly source: string }): Promise<Authentication>;
}

const TOKEN_LENGTH_MAX = 16_384;
const TOKEN_SHAPE = /^[\w-]{2,}\.[\w-]{2,}\.[\w-]{2,}$/;
/** Asymmetric only: with a public key as its secret, an HMAC could be made by everybody (T-02). */
const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];
const LEEWAY_SECONDS = 30;
/** Counted under this name, which no account can have. */
const NO_NAME = '?workload';

/** Whether a password could be a workload's token; ours and passwords of people do not look so. */
export function isJwt(text: string): boolean {
  return text.startsWith('eyJ') && TOKEN_SHAPE.test(text);
}

/** @see threats C-11, T-02 to T-14; OpenID Connect Core 1.0 chapter 3.1.3.7; RFC 8725 */
export function createWorkloadSignIn<Issuer extends WorkloadIssuer>(
  issuers: readonly Issuer[],
  parts: WorkloadParts<Issuer>,
): WorkloadSignIn {
  const { accounts, directory, attempts, clock, logger } = parts;
  const known = new Map(
    issuers.map((issuer) => [
      issuer.issuer,
      {
        issuer,
        keys: createIssuerKeys(issuer.issuer, { clock, fetchDocument: parts.fetchDocument(issuer) }),
      },
    ]),
  );

  async function fail(reason: string, source: string, name?: string): Promise<Authentication> {
    const delayMs = await attempts.delayMs(NO_NAME, source);
    if (delayMs > 0) return tooManyAttempts(delayMs, name);
    await attempts.failed(NO_NAME, source);
    return notAccepted(reason, name);
  }

  async function check(token: string): Promise<(JWTPayload & { readonly robot: string }) | string> {
    const read = readUnverified(token);
    const from = read && known.get(read.issuer);
    if (!read || !from) return 'workload.issuer';
    const { issuer, keys } = from;
    try {
      const { payload } = await jwtVerify(token, await keys.find(read.kid), {
        algorithms: ALGORITHMS,
        issuer: issuer.issuer,
        audience: [...issuer.audiences],
        requiredClaims: ['iss', 'aud', 'exp', 'iat', 'sub'],
        clockTolerance: LEEWAY_SECONDS,
        currentDate: new Date(clock.nowMs()),
      });
      const { exp = 0, iat = 0 } = payload;
      if (iat * 1000 > clock.nowMs() + LEEWAY_SECONDS * 1000) return 'workload.early';
      if ((exp - iat) * 1000 > issuer.lifetimeMsMax) return 'workload.lifetime';
      const robot = robotFor(issuer.rules, payload);
      return robot === undefined ? 'workload.rule' : { ...payload, robot };
    } catch (error) {
      if (!(error instanceof errors.JOSEError)) {
        logger.warn('the keys of an issuer of workload tokens could not be had', {
          url: issuer.issuer,
          cause: error instanceof Error ? error.message : String(error),
        });
        return 'workload.keys';
      }
      return `workload.${causeOf(error)}`;
    }
  }

  return {
    async prove({ token, source }) {
      const provedAtMs = clock.nowMs();
      if (token.length > TOKEN_LENGTH_MAX || !isJwt(token)) return fail('workload.malformed', source);
      const claims = await check(token);
      if (typeof claims === 'string') return fail(claims, source);
      const robot = await accounts.findAccountByName('robot', claims.robot);
      if (!robot) return notAccepted('workload.robot', claims.robot);
      if (!(await directory.isLive(robot))) return notAccepted('sign-in.inactive', robot.name);
      const { kind, id, name } = robot;
      return {
        ok: true,
        identity: {
          ...{ principal: { kind, id, name }, via: 'workload', provedAtMs, scopes: undefined },
          ...(claims.jti === undefined ? {} : { tokenId: claims.jti.slice(0, 100) }),
        },
      };
    },
  };
}

/** Only to find the issuer that is to be asked for its keys; nothing of it is believed yet. */
function readUnverified(token: string): { readonly issuer: string; readonly kid?: string } | undefined {
  try {
    const { iss } = decodeJwt(token);
    const { kid } = decodeProtectedHeader(token);
    if (typeof iss !== 'string') return undefined;
    return { issuer: iss, ...(typeof kid === 'string' ? { kid } : {}) };
  } catch {
    // Not a token that anybody could have signed.
    return undefined;
  }
}

function causeOf(error: errors.JOSEError): string {
  if (error instanceof errors.JWTExpired) return 'expired';
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'signature';
  if (error instanceof errors.JWKSNoMatchingKey) return 'key';
  if (error instanceof errors.JOSEAlgNotAllowed) return 'algorithm';
  if (!(error instanceof errors.JWTClaimValidationFailed)) return 'malformed';
  return { aud: 'audience', iss: 'issuer', nbf: 'early' }[error.claim] ?? 'claims';
}
