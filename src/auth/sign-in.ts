import { type Changes, createSingleFlight, newId, type Random } from '../base/index.ts';
import { refuse } from '../oci/index.ts';
import { type Authentication, notAccepted, tooManyAttempts, unproved } from './authentication.ts';
import type { Directory } from './directory.ts';
import { type ExternalDirectory, externalHash } from './external-ports.ts';
import { parseAccountName } from './names.ts';
import { PASSWORD_BYTES_MAX, type PasswordHasher } from './password-hash.ts';
import type { Account, AccountWrites } from './ports.ts';
import { createRememberedPasswords } from './remembered.ts';
import type { SecondFactor } from './second-factor.ts';
import { createSecretSignIn, type SecretSignInParts } from './secret-sign-in.ts';
import { isPersonalSecret, isRobotSecret } from './secrets.ts';
import { isJwt, type WorkloadSignIn } from './workload.ts';

export interface SignInParts extends SecretSignInParts {
  readonly accounts: SecretSignInParts['accounts'] & Pick<AccountWrites, 'replaceHash' | 'signInExternal'>;
  /** Absent where none is configured. */
  readonly external?: External | undefined;
  readonly directory: Pick<Directory, 'accessOf' | 'isLive'>;
  readonly secondFactor: Pick<SecondFactor, 'takes'>;
  readonly hasher: Pick<PasswordHasher, 'verify' | 'hash' | 'needsRehash'>;
  readonly changes: Changes;
  readonly random: Random;
  /** Absent: no issuer of workload tokens is configured. */
  readonly workload?: WorkloadSignIn | undefined;
}

/** Another directory of people, and how long its word about somebody counts. */
export interface External {
  readonly directory: ExternalDirectory;
  readonly lifetimeMs: number;
}

export interface SignInRequest {
  readonly name: string;
  readonly secret: string;
  /** A one-time code or recovery code, where the account has a second factor. */
  readonly code?: string;
  /** Where from, as `sourceOf` gives it. */
  readonly source: string;
}

/** Proves a user by password or personal access token, a robot by secret. */
export interface SignIn {
  signIn(request: SignInRequest): Promise<Authentication>;
  close(): void;
}

/** Under this name attempts with impossible names are counted; it cannot be an account's. */
const NO_NAME = '?';

/**
 * The form of the secret says what it is: ours begin with `dgr_` or `dgp_` and carry a checksum, and no password may
 * begin so. A robot and a user can therefore have the same name, and no prefix is needed in names.
 */
export function createSignIn(parts: SignInParts): SignIn {
  const { accounts, directory, attempts, hasher, clock, logger, external } = parts;
  const remembered = createRememberedPasswords(parts);
  const bySecret = createSecretSignIn(parts);
  const singleFlight = createSingleFlight<Authentication>();
  const sharedHash = createSingleFlight<Awaited<ReturnType<PasswordHasher['verify']>>>();

  async function fail(
    account: string,
    source: string,
    reason: string,
    name?: string,
  ): Promise<Authentication> {
    await attempts.failed(account, source);
    return notAccepted(reason, name);
  }

  async function lacksCode(user: Account, code: string | undefined): Promise<boolean> {
    return user.secondFactor !== undefined && !(await parts.secondFactor.takes(user, code ?? ''));
  }

  /** Not waited for: the password is right whatever becomes of it, and the next sign-in tries again. */
  function rehash(user: Account, password: string): void {
    hasher
      .hash(password)
      .then(async (hash) => {
        // Too many hashes wait: there will be another sign-in.
        if (typeof hash === 'string') await accounts.replaceHash(user.id, user.secretHash, hash);
      })
      .catch((cause: unknown) => {
        logger.warn('a password could not be hashed with the parameters of now', {
          cause: cause instanceof Error ? cause.message : String(cause),
        });
      });
  }

  async function signInUser(name: string, request: SignInRequest, place: string): Promise<Authentication> {
    const { secret, source } = request;
    const delayMs = await attempts.delayMs(name, source);
    if (delayMs > 0) return tooManyAttempts(delayMs, name);
    const provedAtMs = clock.nowMs();
    const user = await accounts.findAccountByName('user', name);
    if (external && (!user || user.secretHash === externalHash(external.directory.name))) {
      return signInExternally(external, request, name, place);
    }
    // Also for a name that nobody has: the answer must not come sooner than for one that somebody has.
    // Twenty build machines show one password at the same moment: each is counted by its own address, one hash is made.
    const secretHash = user?.secretHash;
    const outcome = await sharedHash(`${place} ${secretHash ?? ''}`, () => hasher.verify(secret, secretHash));
    if (typeof outcome !== 'string') return unproved(outcome, 'limit.hashing', name);
    if (!user) return fail(name, source, 'sign-in.unknown', name);
    if (outcome === 'wrong') return fail(name, source, 'sign-in.password', name);
    if (!(await directory.isLive(user))) return fail(name, source, 'sign-in.inactive', name);
    // The password may have been changed while it was being checked, and others may wait for this very answer.
    const { notBeforeMs } = await directory.accessOf(user);
    if (notBeforeMs !== user.notBeforeMs) return notAccepted('sign-in.changed', name);
    if (await lacksCode(user, request.code)) {
      return fail(name, source, 'sign-in.second-factor', name);
    }
    await attempts.succeeded(name, source);
    if (hasher.needsRehash(user.secretHash)) rehash(user, secret);
    const result = proved(user, provedAtMs);
    // Where a code belongs to it, the password alone must prove nothing the next time either.
    if (user.secondFactor) return result;
    remembered.remember(place, { principal: result.identity.principal, notBeforeMs });
    return result;
  }

  /** People of another directory: it checks the password, and each right one renews account and groups here. */
  async function signInExternally(
    { directory: other, lifetimeMs }: External,
    { secret, source, code }: SignInRequest,
    name: string,
    place: string,
  ): Promise<Authentication> {
    const nowMs = clock.nowMs();
    const person =
      Buffer.byteLength(secret) > PASSWORD_BYTES_MAX ? undefined : await ask(other, name, secret);
    if (person === 'away') {
      const message = 'dockgate: the directory that knows your password does not answer, try again';
      return unproved(refuse('UNAVAILABLE', message), 'sign-in.directory', name);
    }
    if (!person) return fail(name, source, 'sign-in.password', name);
    const signIn = { ...person, provider: other.name, name, newId: newId(parts.random), nowMs };
    const user = await accounts
      .signInExternal({ ...signIn, expiresAtMs: nowMs + lifetimeMs })
      .catch((cause: unknown) => {
        logger.warn('a person of another directory has no account here', {
          note: name,
          cause: String(cause),
        });
        return undefined;
      });
    if (!user) return notAccepted('sign-in.name-taken', name);
    if (!(await directory.isLive(user))) return fail(name, source, 'sign-in.inactive', name);
    if (await lacksCode(user, code)) {
      return fail(name, source, 'sign-in.second-factor', name);
    }
    await attempts.succeeded(name, source);
    const result = proved(user, nowMs);
    const { notBeforeMs } = user;
    if (!user.secondFactor) {
      remembered.remember(place, { principal: result.identity.principal, notBeforeMs });
    }
    return result;
  }

  async function ask(other: ExternalDirectory, name: string, secret: string) {
    try {
      return await other.prove(name, secret);
    } catch (cause) {
      logger.error('the other directory of people does not answer', { note: name }, cause);
      return 'away';
    }
  }

  async function findRemembered(place: string): Promise<Authentication | undefined> {
    const entry = remembered.find(place);
    if (!entry) return undefined;
    const provedAtMs = clock.nowMs();
    const { principal, notBeforeMs } = entry;
    const access = await directory.accessOf(principal);
    if (access.notBeforeMs !== notBeforeMs || !(await directory.isLive(principal))) return undefined;
    return { ok: true, identity: { principal, via: 'basic', provedAtMs, scopes: undefined } };
  }

  return {
    async signIn(request) {
      // Whatever name is shown beside it: the token says who it is.
      if (parts.workload && isJwt(request.secret)) {
        return parts.workload.prove({ token: request.secret, source: request.source });
      }
      const name = parseAccountName(request.name);
      if (name === undefined) {
        const delayMs = await attempts.delayMs(NO_NAME, request.source);
        return delayMs > 0 ? tooManyAttempts(delayMs) : fail(NO_NAME, request.source, 'sign-in.name');
      }
      if (isRobotSecret(request.secret)) return bySecret.signInRobot(request);
      if (isPersonalSecret(request.secret)) return bySecret.signInByToken(request);
      const place = remembered.keyOf(name, request.secret);
      const known = await findRemembered(place);
      if (known) return known;
      // A client that opens eight connections at once shows one password eight times: it is checked once.
      return singleFlight(`${place} ${request.source} ${request.code ?? ''}`, () =>
        signInUser(name, request, place),
      );
    },
    close: () => remembered.close(),
  };
}

function proved(account: Account, provedAtMs: number) {
  const { kind, id, name } = account;
  return {
    ok: true as const,
    identity: { principal: { kind, id, name }, via: 'basic' as const, provedAtMs, scopes: undefined },
  };
}
