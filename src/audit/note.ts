import { createPublicKey, hash, type KeyObject, verify } from 'node:crypto';

/** C2SP signed-note: the type byte of plain Ed25519 signatures. */
const ED25519 = 0x01;
/** DER of a SubjectPublicKeyInfo for Ed25519 up to the key's 32 bytes (RFC 8410). */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
/** A checkpoint is far below; more is no note of ours. */
const NOTE_BYTES_MAX = 64 * 1024;

/** Who may have signed a note: a name and an Ed25519 key. */
export interface Verifier {
  readonly name: string;
  /** First four bytes of the hash over name and key, as the spec says. */
  readonly keyId: Buffer;
  readonly key: KeyObject;
  /** As `printVerifierKey` prints it. */
  readonly text: string;
}

/** Signs note text. */
export interface Signer {
  readonly name: string;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  sign(text: Uint8Array): Uint8Array;
}

function keyIdOf(name: string, publicKey: Uint8Array): Buffer {
  const parts = [Buffer.from(`${name}\n`), Buffer.from([ED25519]), publicKey];
  return hash('sha256', Buffer.concat(parts), 'buffer').subarray(0, 4);
}

/** Prints a verifier key as other tools read it: `name+0123abcd+base64`. */
export function printVerifierKey(name: string, publicKey: Uint8Array): string {
  const key = Buffer.concat([Buffer.from([ED25519]), publicKey]).toString('base64');
  return `${name}+${keyIdOf(name, publicKey).toString('hex')}+${key}`;
}

/** Reads a verifier key; `undefined` unless it is an Ed25519 one whose id is right. */
export function parseVerifierKey(text: string): Verifier | undefined {
  const match = /^([^\s+]{1,200})\+([0-9a-f]{8})\+([A-Za-z0-9+/]{44})$/.exec(text.trim());
  const name = match?.[1];
  if (name === undefined) return undefined;
  const bytes = Buffer.from(match?.[3] ?? '', 'base64');
  if (bytes.length !== 33 || bytes[0] !== ED25519) return undefined;
  const publicKey = bytes.subarray(1);
  const keyId = keyIdOf(name, publicKey);
  if (keyId.toString('hex') !== match?.[2]) return undefined;
  const key = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, publicKey]), format: 'der', type: 'spki' });
  return { name, keyId, key, text: printVerifierKey(name, publicKey) };
}

/** @param text ends with a newline. */
export function signNote(text: string, signer: Signer): string {
  return cosignNote(text, [signer]);
}

/** The same, signed by several. */
export function cosignNote(text: string, signers: readonly Signer[]): string {
  const lines = signers.map((signer) => {
    const signature = Buffer.concat([keyIdOf(signer.name, signer.publicKey), signer.sign(Buffer.from(text))]);
    return `\u2014 ${signer.name} ${signature.toString('base64')}\n`;
  });
  return `${text}\n${lines.join('')}`;
}

/**
 * The text of a note that the verifier's key signed. `undefined` when it is malformed, when no signature is by that
 * key, or when one that claims to be is wrong. Signatures by others are ignored, as the spec demands.
 */
export function openNote(note: string, verifier: Verifier): string | undefined {
  if (note.length > NOTE_BYTES_MAX || hasControls(note) || !note.endsWith('\n')) return undefined;
  const split = note.lastIndexOf('\n\n');
  if (split < 0) return undefined;
  const text = note.slice(0, split + 1);
  const lines = note.slice(split + 2, -1).split('\n');
  let isSigned = false;
  for (const line of lines) {
    const match = /^\u2014 ([^\s+]+) ([A-Za-z0-9+/]+={0,2})$/.exec(line);
    if (!match) return undefined;
    const bytes = Buffer.from(match[2] ?? '', 'base64');
    // The bits that base64 leaves over must be zero: a note that was changed at all is another note.
    if (bytes.toString('base64') !== match[2]) return undefined;
    if (match[1] !== verifier.name || !bytes.subarray(0, 4).equals(verifier.keyId)) continue;
    if (!verify(null, Buffer.from(text), verifier.key, bytes.subarray(4))) return undefined;
    isSigned = true;
  }
  return isSigned ? text : undefined;
}

function hasControls(note: string): boolean {
  for (let at = 0; at < note.length; at += 1) {
    const code = note.charCodeAt(at);
    if (code < 0x20 && code !== 0x0a) return true;
  }
  return false;
}
