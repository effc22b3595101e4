import { createPublicKey, type KeyObject } from 'node:crypto';
import { crypto } from '@sigstore/core';
import { StartError } from '../base/index.ts';
import type { Attested } from '../policy/index.ts';
import type { Outcome, TrustedKey } from './types.ts';

const RSA_BITS_MIN = 2048;

/**
 * Reads the public key of a trusted signer, as `cosign generate-key-pair` and `openssl pkey -pubout` write it.
 *
 * @param where names the key in an error.
 * @throws {StartError} no public key in PEM, or one of a kind with which cosign makes no signature that we verify:
 *   allowed are ECDSA with P-256, Ed25519 and RSA from 2048 bits.
 */
export function readTrustedKey(pem: string, where: string): KeyObject {
  // A private key would be read as its public half, and then lie on a machine where it has no business.
  if (pem.includes('PRIVATE KEY')) {
    throw new StartError(
      `${where} is a private key: give the public one (cosign.pub), and keep this one elsewhere`,
    );
  }
  const key = readPem(pem, where);
  const { namedCurve, modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  const kind = key.asymmetricKeyType;
  const isGood =
    (kind === 'ec' && namedCurve === 'prime256v1') ||
    kind === 'ed25519' ||
    (kind === 'rsa' && modulusLength >= RSA_BITS_MIN);
  if (!isGood) {
    throw new StartError(
      `${where} is of no supported kind: ECDSA P-256, Ed25519 or RSA from ${RSA_BITS_MIN} bits`,
    );
  }
  return key;
}

function readPem(pem: string, where: string): KeyObject {
  try {
    return createPublicKey(pem);
  } catch {
    throw new StartError(`${where} holds no public key in PEM ("BEGIN PUBLIC KEY")`);
  }
}

/** The keys of the configuration by which exactly these bytes were signed; ECDSA and RSA with SHA-256. */
export function signersOf(
  keys: readonly TrustedKey[],
  signed: Uint8Array,
  signature: Uint8Array,
): readonly TrustedKey[] {
  const data = Buffer.from(signed);
  return keys.filter(({ key }) =>
    crypto.verify(
      data,
      key,
      Buffer.from(signature),
      key.asymmetricKeyType === 'ed25519' ? undefined : 'sha256',
    ),
  );
}

/** Whom a signature by these keys speaks for: what is revoked speaks for nobody, whatever else is right about it. */
export function speakFor(
  signers: readonly TrustedKey[],
  what: Omit<Attested, 'by' | 'untilMs'> = {},
): Outcome {
  const living = signers.filter((signer) => !signer.isRevoked);
  if (living.length === 0) return { ok: false, why: `signed by ${namesOf(signers)}, which is revoked` };
  return {
    ok: true,
    attested: living.map(({ name, untilMs }) => ({
      by: name,
      ...what,
      ...(untilMs === undefined ? {} : { untilMs }),
    })),
  };
}

export function namesOf(signers: readonly { readonly name: string }[]): string {
  return signers.map((signer) => signer.name).join(' and ');
}
