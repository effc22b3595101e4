import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AccountReads, AccountWrites, PasswordHasher } from '../auth/index.ts';
import { type Clock, newId, type Random, StartError } from '../base/index.ts';

const NAME = 'admin';

export interface FirstAdmin {
  readonly name: string;
  readonly password: string;
}

/**
 * Makes the user `admin` when there is no user yet.
 *
 * @param options.password from the operator; absent, one is generated and kept in `passwordPath` (0600) until the
 *   admin changes it.
 * @returns the admin with its generated password, to be printed once; `undefined` when nothing is to be told.
 */
export async function ensureFirstAdmin(
  options: { readonly password: string | undefined; readonly passwordPath: string },
  parts: {
    readonly accounts: AccountReads & AccountWrites;
    readonly hasher: PasswordHasher;
    readonly clock: Clock;
    readonly random: Random;
  },
): Promise<FirstAdmin | undefined> {
  if ((await parts.accounts.listAccounts('user')).length > 0) {
    await forgetChangedPassword(options.passwordPath, parts);
    return undefined;
  }
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
  await parts.accounts.addGrant({
    role: 'admin',
    pattern: '**',
    subject: { kind: 'user', name: NAME },
    effect: 'allow',
  });
  return options.password === undefined ? { name: NAME, password } : undefined;
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
