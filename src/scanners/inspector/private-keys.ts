import { createPrivateKey, hash, type KeyObject } from 'node:crypto';

/** RSA and DSA below this protect nothing; only test suites still have them. */
const MODULUS_BITS_MIN = 1024;

/** sha256 of keys (their bytes, not their text) that manuals print and that therefore protect nothing. */
const PRINTED_KEYS: ReadonlySet<string> = new Set([
  // The example of Ansible's google.cloud modules, in the text of four of them.
  'd60ae0d983150c30b66d1cdb81793deac39fdb747fd72300d2b1a2a35f3b5964',
  // `crypto/x509/platform_root_key.pem` of Go's source, for a test that runs on Windows only.
  'ec5fa9904554f5f463b880ff4aa3985e83574ef94fcc4651a05ca7181f6f03dc',
]);

/**
 * Says what the private key in one PEM block is, as it stands in a file or escaped in a JSON or shell string:
 * `RSA 2048`, `EC prime256v1`, `OpenSSH ssh-ed25519`.
 *
 * @returns `undefined` when it is no usable key: a placeholder, cut, printed in a manual, encrypted
 *   under a passphrase, or too small.
 * @see RFC 7468; openssh PROTOCOL.key
 */
export function describePrivateKey(block: string): string | undefined {
  const match = /-----BEGIN ?((?:[A-Z]+ )?)PRIVATE KEY-----([\s\S]*)-----END/.exec(block);
  if (!match) return undefined;
  const label = match[1] ?? '';
  const bytes = Buffer.from((match[2] ?? '').replace(/\\[nrt]|[^A-Za-z0-9+/=]/g, ''), 'base64');
  if (PRINTED_KEYS.has(hash('sha256', bytes))) return undefined;
  return label === 'OPENSSH ' ? describeOpenSsh(bytes) : describeDer(bytes, label);
}

function describeDer(bytes: Buffer, label: string): string | undefined {
  let key: KeyObject;
  try {
    key = createPrivateKey(
      `-----BEGIN ${label}PRIVATE KEY-----\n${bytes.toString('base64')}\n-----END ${label}PRIVATE KEY-----\n`,
    );
  } catch {
    // Whatever OpenSSL cannot read, nobody can sign in with.
    return undefined;
  }
  const { modulusLength, namedCurve } = key.asymmetricKeyDetails ?? {};
  if (modulusLength !== undefined && modulusLength < MODULUS_BITS_MIN) return undefined;
  return [key.asymmetricKeyType?.toUpperCase() ?? 'unknown', modulusLength ?? namedCurve]
    .filter((part) => part !== undefined)
    .join(' ');
}

const OPENSSH_MAGIC = 'openssh-key-v1\0';

/** node:crypto does not read this format, so its frame is checked: both check numbers must agree. */
function describeOpenSsh(bytes: Buffer): string | undefined {
  if (bytes.toString('latin1', 0, OPENSSH_MAGIC.length) !== OPENSSH_MAGIC) return undefined;
  try {
    const reader = new SshReader(bytes.subarray(OPENSSH_MAGIC.length));
    const cipher = reader.text();
    reader.text();
    reader.block();
    if (cipher !== 'none' || reader.number() !== 1) return undefined;
    reader.block();
    const secret = new SshReader(reader.block());
    const [first, second] = [secret.number(), secret.number()];
    if (first !== second) return undefined;
    return `OpenSSH ${secret.text()}`;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Reads the wire types of RFC 4251, section 5; throws RangeError past the end. */
class SshReader {
  #rest: Buffer;

  constructor(bytes: Buffer) {
    this.#rest = bytes;
  }

  number(): number {
    const value = this.#rest.readUInt32BE(0);
    this.#rest = this.#rest.subarray(4);
    return value;
  }

  block(): Buffer {
    const length = this.number();
    if (length > this.#rest.length) throw new RangeError('a block past the end');
    const block = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    return block;
  }

  text(): string {
    return this.block().toString('latin1');
  }
}
