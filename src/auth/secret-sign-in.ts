import type { Clock, Logger } from '../base/index.ts';
import { type Authentication, notAccepted, tooManyAttempts } from './authentication.ts';
import type { PersonalToken, PreviousSecret } from './credential-ports.ts';
import type { Directory } from './directory.ts';
import { expiryWarning } from './expiry.ts';
import type { Identity } from './identity.ts';
import { createTouch } from './last-use.ts';
import type { Account, AccountReads, AccountWrites, Attempts } from './ports.ts';
import { hashSecret, isSecretOf } from './secrets.ts';

export interface SecretSignInParts {
  readonly accounts: Pick<AccountReads, 'findAccountByName' | 'findAccountById' | 'findPersonalToken'> &
    Pick<AccountWrites, 'touchAccount' | 'touchPersonalToken'>;
  readonly directory: Pick<Directory, 'isLive'>;
  readonly attempts: Attempts;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface SecretRequest {
  readonly name: string;
  readonly secret: string;
  readonly source: string;
}

/**
 * Proves by a secret that we made: a robot's, or a personal access token beside its owner's name. A right one is let
 * in whatever the counters say: nobody guesses 256 bits, so there is nothing to slow down.
 */
export function createSecretSignIn(parts: SecretSignInParts): {
  signInRobot(request: SecretRequest): Promise<Authentication>;
  signInByToken(request: SecretRequest): Promise<Authentication>;
} {
  const { accounts, directory, attempts, clock } = parts;
  const touch = createTouch(parts);

  async function fail(counted: string, { name, source }: SecretRequest, reason: string) {
    const delayMs = await attempts.delayMs(counted, source);
    if (delayMs > 0) return tooManyAttempts(delayMs, name);
    await attempts.failed(counted, source);
    return notAccepted(reason, name);
  }

  /** By the hash, which nobody can guess or steer; then whether it is the secret of now and of this owner. */
  async function findToken(request: SecretRequest): Promise<[PersonalToken, Account] | undefined> {
    const secretHash = hashSecret(request.secret);
    const token = await accounts.findPersonalToken(secretHash);
    if (!token || !isCurrent(secretHash, token, clock.nowMs())) return undefined;
    const owner = await accounts.findAccountById(token.accountId);
    return owner?.name === request.name ? [token, owner] : undefined;
  }

  return {
    async signInRobot(request) {
      const { name, secret, source } = request;
      const provedAtMs = clock.nowMs();
      const robot = await accounts.findAccountByName('robot', name);
      if (!robot || !isSecretOfRobot(secret, robot, provedAtMs)) {
        return fail(`robot:${name}`, request, robot ? 'sign-in.secret' : 'sign-in.unknown');
      }
      if (!(await directory.isLive(robot))) return notAccepted('sign-in.inactive', name);
      touch(robot, source, accounts.touchAccount);
      const warning = robotWarning(robot, provedAtMs);
      return proved({ ...identityOf(robot, provedAtMs), via: 'robot', ...warning });
    },
    async signInByToken(request) {
      const provedAtMs = clock.nowMs();
      const found = await findToken(request);
      if (!found) return fail(request.name, request, 'sign-in.secret');
      const [token, owner] = found;
      if (!(await directory.isLive(owner, undefined, token.id))) {
        return notAccepted('sign-in.inactive', request.name);
      }
      touch(token, request.source, accounts.touchPersonalToken);
      const warning = expiryWarning({ what: `token ${token.name}`, ...token }, provedAtMs);
      return proved({
        ...identityOf(owner, provedAtMs),
        via: 'personal-token',
        tokenId: token.id,
        personalTokenId: token.id,
        ...(warning === undefined ? {} : { warning }),
      });
    },
  };
}

function isSecretOfRobot(secret: string, robot: Account, nowMs: number): boolean {
  return isSecretOf(secret, robot.secretHash) || isCurrent(hashSecret(secret), robot, nowMs);
}

/** Whether the hash is of the secret of now, or of the one before while that still counts. */
function isCurrent(
  hash: string,
  kept: { readonly secretHash: string; readonly previous?: PreviousSecret },
  nowMs: number,
): boolean {
  if (hash === kept.secretHash) return true;
  return kept.previous !== undefined && hash === kept.previous.secretHash && nowMs < kept.previous.untilMs;
}

function robotWarning(robot: Account, nowMs: number): Pick<Identity, 'warning'> {
  const { name, createdAtMs, expiresAtMs } = robot;
  if (expiresAtMs === undefined) return {};
  const warning = expiryWarning({ what: `robot ${name}`, createdAtMs, expiresAtMs }, nowMs);
  return warning === undefined ? {} : { warning };
}

function identityOf({ kind, id, name }: Account, provedAtMs: number) {
  return { principal: { kind, id, name }, provedAtMs, scopes: undefined };
}

function proved(identity: Identity): Authentication {
  return { ok: true, identity };
}
