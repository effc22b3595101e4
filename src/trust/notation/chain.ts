import { type Certificate, readCertificate } from './certificate.ts';

/** From the certificate that signed to its root; each is issued by the next. */
export type Chain = readonly [Certificate, ...Certificate[]];

const CERTIFICATES_MAX = 10;
const RSA_BITS_MIN = 2048;
/** RSA and ECDSA with SHA-256, -384 and -512. */
const SIGNED_BY: ReadonlySet<string> = new Set([
  '1.2.840.113549.1.1.11',
  '1.2.840.113549.1.1.12',
  '1.2.840.113549.1.1.13',
  '1.2.840.10045.4.3.2',
  '1.2.840.10045.4.3.3',
  '1.2.840.10045.4.3.4',
]);
/** Any purpose, TLS on both sides, mail, time stamps, OCSP: not those of who signs code. */
const OTHER_PURPOSES: ReadonlySet<string> = new Set([
  '2.5.29.37.0',
  '1.3.6.1.5.5.7.3.1',
  '1.3.6.1.5.5.7.3.2',
  '1.3.6.1.5.5.7.3.4',
  '1.3.6.1.5.5.7.3.8',
  '1.3.6.1.5.5.7.3.9',
]);
const DIGITAL_SIGNATURE = 0;
const KEY_CERT_SIGN = 5;
/** All but digitalSignature and contentCommitment. */
const NOT_FOR_SIGNERS = [2, 3, 4, 5, 6, 7, 8];

/**
 * Reads `x5c` of an envelope, and checks what the specification wants of each certificate by itself. Whether one of
 * them is trusted, in date or revoked is not looked at here.
 *
 * @throws {Error} says what is wrong with which certificate, or is what a parser says of it.
 * @see notaryproject/specifications, signature-specification.md, "Certificate Requirements".
 */
export function readChain(ders: readonly Buffer[]): Chain {
  const [leaf, ...authorities] = ders.slice(0, CERTIFICATES_MAX + 1).map((der) => readCertificate(der));
  if (!leaf || ders.length > CERTIFICATES_MAX) throw new Error('the chain is empty or too long');
  const chain: Chain = [leaf, ...authorities];
  chain.forEach((certificate, index) => {
    const issuer = chain[index + 1] ?? certificate;
    const { x509: own } = certificate;
    if (!certificate.issuer.equals(issuer.subject) || !own.verify(issuer.x509.publicKey)) {
      throw new Error(`certificate ${index} is not issued by the next, or the last not by itself`);
    }
    if (!SIGNED_BY.has(own.signatureAlgorithmOid ?? '')) {
      throw new Error(`certificate ${index} is signed in a way that is not allowed`);
    }
  });
  checkLeaf(leaf);
  authorities.forEach(checkAuthority);
  return chain;
}

function checkLeaf({ x509, keyUsage, isKeyUsageCritical, basicConstraints }: Certificate): void {
  const isForSigning =
    isKeyUsageCritical &&
    keyUsage?.has(DIGITAL_SIGNATURE) === true &&
    !NOT_FOR_SIGNERS.some((bit) => keyUsage.has(bit));
  const hasOtherPurpose = (x509.keyUsage ?? []).some((purpose) => OTHER_PURPOSES.has(purpose));
  if (!isForSigning || hasOtherPurpose || basicConstraints?.isCa) {
    throw new Error('the certificate of the signer is not for signing code');
  }
}

/** @param below certificates between this one and the signer's. */
function checkAuthority(
  { keyUsage, isKeyUsageCritical, basicConstraints }: Certificate,
  below: number,
): void {
  const isAuthority =
    basicConstraints?.isCa && basicConstraints.isCritical && below <= basicConstraints.pathLengthMax;
  if (!isAuthority || !isKeyUsageCritical || !keyUsage?.has(KEY_CERT_SIGN)) {
    throw new Error(`certificate ${below + 1} is not one of an authority`);
  }
}

/**
 * The only algorithm that a signature by this certificate may name (RFC 7518).
 *
 * @throws {Error} a key of another kind.
 */
export function algorithmOf({ x509: { publicKey } }: Certificate): string {
  const { namedCurve, modulusLength = 0 } = publicKey.asymmetricKeyDetails ?? {};
  const ofCurve = { prime256v1: 'ES256', secp384r1: 'ES384', secp521r1: 'ES512' }[namedCurve ?? ''];
  if (publicKey.asymmetricKeyType === 'ec' && ofCurve) return ofCurve;
  const ofLength = { 2048: 'PS256', 3072: 'PS384', 4096: 'PS512' }[modulusLength];
  if (publicKey.asymmetricKeyType === 'rsa' && modulusLength >= RSA_BITS_MIN && ofLength) return ofLength;
  throw new Error('the key of the signer is of no supported kind');
}

/** When all certificates of the chain are valid, half-open, in milliseconds. */
export function validityOf(chain: Chain): { readonly fromMs: number; readonly untilMs: number } {
  return {
    fromMs: Math.max(...chain.map(({ x509 }) => x509.validFromDate.getTime())),
    untilMs: Math.min(...chain.map(({ x509 }) => x509.validToDate.getTime())),
  };
}
