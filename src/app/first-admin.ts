import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import {
  type AccountReads,
  type AccountWrites,
  PASSWORD_LENGTH_MIN,
  type PasswordHasher,
  passwordProblem,
} from '../auth/index.ts';
import { type Changes, type Clock, type Logger, newId, type Random, StartError } from '../base/index.ts';

const NAME = 'admin';
const GRANT = {
  role: 'admin',
  pattern: '**',
  subject: { kind: 'user', name: NAME },
  effect: 'allow',
} as const;

export interface FirstAdmin {
  readonly name: string;
  readonly password: string;
}

interface FirstAdminParts {
  readonly accounts: AccountReads & AccountWrites;
  readonly hasher: PasswordHasher;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/**
 * Makes the user `admin` when there is no user yet.
 *
 * @param options.password from the operator; absent, one is generated and kept in `passwordPath` (0600) until the
 *   admin changes it.
 * @returns the admin with its generated password, to be printed once; `undefined` when nothing is to be told.
 * @throws {StartError} the operator's password is too short.
 */
export async function ensureFirstAdmin(
  options: { readonly password: string | undefined; readonly passwordPath: string },
  parts: FirstAdminParts,
): Promise<FirstAdmin | undefined> {
  const users = await parts.accounts.listAccounts('user');
  if (users.length > 0) {
    // A start that was killed between the two writes below left an admin who may do nothing.
    const isUnfinished = users.length === 1 && (await parts.accounts.listGrants()).length === 0;
    if (isUnfinished && users[0]?.name === NAME) await parts.accounts.addGrant(GRANT);
    await forgetChangedPassword(options.passwordPath, parts);
    return undefined;
  }
  if (options.password !== undefined) await checkStrength(options.password, parts.logger);
  const password = options.password ?? generatePassword(parts.random);
  const secretHash = await parts.hasher.hash(password);
  if (typeof secretHash !== 'string') throw new StartError(secretHash.message);
  const nowMs = parts.clock.nowMs();
  const account = {
    kind: 'user',
    id: newId(parts.random),
    name: NAME,
    secretHash,
    isDisabled: false,
  } as const;
  // Written first: a crash in between must not leave an admin whose password nobody knows.
  if (options.password === undefined) keepPassword(options.passwordPath, password);
  await parts.accounts.addAccount({ ...account, notBeforeMs: nowMs, createdAtMs: nowMs });
  await parts.accounts.addGrant(GRANT);
  return options.password === undefined ? { name: NAME, password } : undefined;
}

/**
 * Whoever sets this password owns the host and could set any other: a short one is refused, one that can be guessed is
 * told, and the floor for everybody else stands.
 *
 * @throws {StartError} with the reason, never the password.
 */
async function checkStrength(password: string, logger: Logger): Promise<void> {
  const problem = await passwordProblem({ name: NAME, password });
  if (problem === undefined) return;
  const text = `adminPassword (DOCKGATE_ADMIN_PASSWORD): ${problem}`;
  if ([...password].length < PASSWORD_LENGTH_MIN) throw new StartError(text);
  logger.warn(
    `${text}; it is taken because the operator gave it: change it with \`dockgate user passwd admin\``,
  );
}

/** 130 random bits in groups that can be typed. */
function generatePassword(random: Random): string {
  return newId(random).replace(/(.{6})(?=.)/g, '$1-');
}

function keepPassword(path: string, password: string): void {
  rmSync(path, { force: true });
  writeFileSync(path, `${password}\n`, { mode: 0o600, flag: 'wx' });
}

/** The kept password is of no use, and a risk, once the admin has another one. */
async function forgetChangedPassword(
  path: string,
  parts: { readonly accounts: AccountReads; readonly hasher: PasswordHasher },
): Promise<void> {
  if (!existsSync(path)) return;
  const admin = await parts.accounts.findAccountByName('user', NAME);
  const kept = readFileSync(path, 'utf8').trim();
  const isStill = admin !== undefined && (await parts.hasher.verify(kept, admin.secretHash)) === 'right';
  if (!isStill) rmSync(path, { force: true });
}

/**
 * Removes the kept password as soon as the admin has another one, while the server runs.
 *
 * @returns the call that ends it.
 */
export async function forgetPasswordOnChange(
  path: string,
  parts: { readonly accounts: AccountReads; readonly changes: Changes; readonly logger: Logger },
): Promise<() => void> {
  const first = (await parts.accounts.findAccountByName('user', NAME))?.secretHash;
  return parts.changes.onChange(({ topic }) => {
    if (topic !== 'access' || !existsSync(path)) return;
    parts.accounts
      .findAccountByName('user', NAME)
      .then((admin) => {
        if (admin?.secretHash !== first) rmSync(path, { force: true });
      })
      .catch((error: unknown) => {
        parts.logger.warn(`${path} could not be looked at; the next start does it`, { note: String(error) });
      });
  });
}
