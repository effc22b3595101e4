import { createPublicKey, hash, type KeyObject, verify } from 'node:crypto';

/** C2SP tlog-cosignature: the type byte of Ed25519 cosignatures. */
const COSIGNATURE = 0x04;
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
/** Time (8 bytes) and signature, after the key's id. */
const TIME_BYTES = 8;
const SIGNATURE_BYTES = 64;
const ID_BYTES = 4;

/** Who cosigns checkpoints: a witness, by its name and Ed25519 key. */
export interface Cosigner {
  readonly name: string;
  readonly keyId: Buffer;
  readonly key: KeyObject;
}

/** Reads `name+id+base64` of a cosigner; `undefined` unless it is an Ed25519 one (type 4) whose id is right. */
export function parseCosignerKey(text: string): Cosigner | undefined {
  const match = /^([^\s+]{1,200})\+([0-9a-f]{8})\+([A-Za-z0-9+/]{44})$/.exec(text.trim());
  const [, name, id, base64] = match ?? [];
  if (name === undefined || base64 === undefined) return undefined;
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.length !== 33 || bytes[0] !== COSIGNATURE) return undefined;
  const keyId = hash('sha256', Buffer.concat([Buffer.from(`${name}\n`), bytes]), 'buffer').subarray(
    0,
    ID_BYTES,
  );
  if (keyId.toString('hex') !== id) return undefined;
  const der = Buffer.concat([SPKI_PREFIX, bytes.subarray(1)]);
  return { name, keyId, key: createPublicKey({ key: der, format: 'der', type: 'spki' }) };
}

/**
 * The cosignature of one witness in its answer (C2SP tlog-witness, "add-checkpoint").
 *
 * @param note the checkpoint that was sent; the cosignature covers its text and not its signatures.
 * @returns the signature's line and its time in seconds since 1970; `undefined` when there is none by this key, or a
 *   wrong one.
 */
export function findCosignature(
  answer: string,
  note: string,
  cosigner: Cosigner,
): { readonly line: string; readonly seconds: number } | undefined {
  const text = note.slice(0, note.lastIndexOf('\n\n') + 1);
  for (const line of answer.split('\n')) {
    const match = /^\u2014 ([^\s+]+) ([A-Za-z0-9+/]+={0,2})$/.exec(line);
    const bytes = Buffer.from(match?.[2] ?? '', 'base64');
    if (match?.[1] !== cosigner.name || !bytes.subarray(0, ID_BYTES).equals(cosigner.keyId)) continue;
    if (bytes.length !== ID_BYTES + TIME_BYTES + SIGNATURE_BYTES) return undefined;
    const seconds = bytes.readBigUInt64BE(ID_BYTES);
    const message = Buffer.from(`cosignature/v1\ntime ${seconds}\n${text}`);
    const signature = bytes.subarray(ID_BYTES + TIME_BYTES);
    return verify(null, message, cosigner.key, signature) ? { line, seconds: Number(seconds) } : undefined;
  }
  return undefined;
}
