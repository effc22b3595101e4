import type { Trust, TrustedKey } from '../../src/trust/index.ts';
import { readTrust } from '../../src/trust/index.ts';
import type { Signer } from '../support/signer.ts';

/** These signers, by the names under which they are trusted. */
export function trustIn(
  signers: Readonly<Record<string, Signer>>,
  more: Readonly<Record<string, Partial<Pick<TrustedKey, 'isRevoked' | 'untilMs'>>>> = {},
): Trust {
  const keys = Object.entries(signers).map(([name, { pem }]) => ({
    name,
    pem,
    where: name,
    isRevoked: more[name]?.isRevoked ?? false,
    untilMs: more[name]?.untilMs,
  }));
  return readTrust({ keys, identities: [], stores: [], notation: [], root: undefined });
}
