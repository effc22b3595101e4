import { timingSafeEqual } from 'node:crypto';
import { generateSync } from 'otplib';
import { newId, type Random, SECOND_MS } from '../base/index.ts';

/** @see RFC 6238: the defaults that every authenticator app knows (SHA-1, six digits, 30 seconds). */
const STEP_SECONDS = 30;
/** Clocks of telephones differ: the code before and the one after are taken too. */
const DRIFT_STEPS = [0, -1, 1];
const CODE = /^[0-9]{6}$/;
const RECOVERY = /^[a-z2-7]{16}$/;
const RECOVERY_COUNT = 10;
const RECOVERY_LENGTH = 16;

/**
 * The time step whose code was shown.
 *
 * @param lastStep the last step that was used; its code and those before are spent.
 * @returns `undefined` for anything that is no code of now.
 */
export function stepOf(
  code: string,
  factor: { readonly seed: string; readonly lastStep: number },
  nowMs: number,
): number | undefined {
  const digits = code.replaceAll(' ', '');
  if (!CODE.test(digits)) return undefined;
  const now = Math.floor(nowMs / SECOND_MS / STEP_SECONDS);
  return DRIFT_STEPS.map((drift) => now + drift).find(
    (step) => step > factor.lastStep && isSame(digits, codeAt(factor.seed, step)),
  );
}

export function codeAt(seed: string, step: number): string {
  return generateSync({ secret: seed, epoch: step * STEP_SECONDS });
}

/** A recovery code as it is compared: 80 bits, so that one fast hash is enough. */
export function parseRecoveryCode(text: string): string | undefined {
  const code = text.replace(/[ -]/g, '').toLowerCase();
  return RECOVERY.test(code) ? code : undefined;
}

/** Ten codes for the day on which the telephone is lost: `xxxx-xxxx-xxxx-xxxx`. */
export function newRecoveryCodes(random: Random): readonly string[] {
  return Array.from({ length: RECOVERY_COUNT }, () =>
    newId(random)
      .slice(0, RECOVERY_LENGTH)
      .replace(/(.{4})(?=.)/g, '$1-'),
  );
}

function isSame(shown: string, right: string): boolean {
  return shown.length === right.length && timingSafeEqual(Buffer.from(shown), Buffer.from(right));
}
