import { generateSecret, generateURI } from 'otplib';
import type { Clock, Random } from '../base/index.ts';
import { newRecoveryCodes, parseRecoveryCode, stepOf } from './one-time-codes.ts';
import type { Account, AccountReads, AccountWrites } from './ports.ts';
import type { Seal } from './seal.ts';
import { hashSecret } from './secrets.ts';

export interface SecondFactorParts {
  readonly accounts: Pick<AccountReads, 'findAccountById'> &
    Pick<AccountWrites, 'setPendingFactor' | 'confirmFactor' | 'useFactorStep' | 'useRecoveryCode'>;
  readonly seal: Seal;
  readonly clock: Clock;
  readonly random: Random;
}

/** The second factor of people: one-time codes by an authenticator app (TOTP), recovery codes when it is lost. */
export interface SecondFactor {
  /** Makes a seed that counts once it is confirmed. */
  enroll(account: Pick<Account, 'id' | 'name'>): Promise<{ readonly seed: string; readonly uri: string }>;
  /**
   * Puts the second factor in force; every session and access token of before ends.
   * @returns the recovery codes, this once; `undefined` when nothing waits to be confirmed or the code is wrong.
   */
  confirm(accountId: string, code: string): Promise<readonly string[] | undefined>;
  /** Whether the code is right. It is spent by this, in every process: of two who show it at once one is refused. */
  takes(account: Account, code: string): Promise<boolean>;
}

const ISSUER = 'dockgate';

export function createSecondFactor(parts: SecondFactorParts): SecondFactor {
  const { accounts, seal, clock, random } = parts;
  return {
    async enroll({ id, name }) {
      const seed = generateSecret();
      await accounts.setPendingFactor(id, seal.close(seed, id));
      return { seed, uri: generateURI({ issuer: ISSUER, label: name, secret: seed }) };
    },
    async confirm(accountId, code) {
      const pending = (await accounts.findAccountById(accountId))?.pendingFactor;
      if (pending === undefined) return undefined;
      const nowMs = clock.nowMs();
      const step = stepOf(code, { seed: seal.open(pending, accountId), lastStep: 0 }, nowMs);
      if (step === undefined) return undefined;
      const codes = newRecoveryCodes(random);
      const recoveryHashes = codes.map((one) => hashSecret(parseRecoveryCode(one) ?? one));
      await accounts.confirmFactor(accountId, { pending, step, recoveryHashes, notBeforeMs: nowMs + 1 });
      return codes;
    },
    async takes({ id, secondFactor }, code) {
      if (secondFactor === undefined) return false;
      const { sealedSeed, lastStep } = secondFactor;
      const step = stepOf(code, { seed: seal.open(sealedSeed, id), lastStep }, clock.nowMs());
      if (step !== undefined) return accounts.useFactorStep(id, step);
      const recovery = parseRecoveryCode(code);
      return recovery !== undefined && accounts.useRecoveryCode(id, hashSecret(recovery));
    },
  };
}
