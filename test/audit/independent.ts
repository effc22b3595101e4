/**
 * A second reader of a log, written from the texts of C2SP tlog-tiles, tlog-checkpoint and signed-note and of RFC 6962
 * and RFC 9162 alone. It shares no code with src/audit/, so that an error there cannot hide itself here.
 */
import { createHash, createPublicKey, verify } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const sha256 = (...parts: readonly Uint8Array[]): Buffer => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
};

/** RFC 6962, section 2.1: MTH, as it is written there. */
export function treeHash(leaves: readonly Uint8Array[]): Buffer {
  const [only] = leaves;
  if (only === undefined) return sha256();
  if (leaves.length === 1) return sha256(Uint8Array.of(0), only);
  const k = splitOf(leaves.length);
  return sha256(Uint8Array.of(1), treeHash(leaves.slice(0, k)), treeHash(leaves.slice(k)));
}

/** The largest power of two smaller than n. */
function splitOf(n: number): number {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
}

/** Opens the checkpoint: checks the signature by the key's text, returns the three lines. */
export function openCheckpoint(note: string, vkey: string): { origin: string; size: number; root: Buffer } {
  const plus = vkey.trim().indexOf('+');
  const name = vkey.slice(0, plus);
  const id = vkey.slice(plus + 1, plus + 9);
  const material = Buffer.from(vkey.trim().slice(plus + 10), 'base64');
  const computed = sha256(Buffer.from(`${name}\n`), material)
    .subarray(0, 4)
    .toString('hex');
  if (material[0] !== 1 || computed !== id) throw new Error('bad verifier key');
  const [body = '', signatures = ''] = note.split(/\n\n(?=[^\n]*$|— )/);
  const mine = signatures.split('\n').find((line) => line.startsWith(`— ${name} `));
  const signature = Buffer.from(mine?.split(' ')[2] ?? '', 'base64');
  if (signature.subarray(0, 4).toString('hex') !== id) throw new Error('no signature by this key');
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: material.subarray(1).toString('base64url') };
  const key = createPublicKey({ key: jwk, format: 'jwk' });
  if (!verify(null, Buffer.from(`${body}\n`), key, signature.subarray(4))) throw new Error('wrong signature');
  const [origin = '', size = '', root = ''] = body.split('\n');
  return { origin, size: Number(size), root: Buffer.from(root, 'base64') };
}

function tileFile(log: string, level: string, n: number, width: number): Buffer {
  let rest = Math.floor(n / 1000);
  let path = String(n % 1000).padStart(3, '0');
  while (rest > 0) {
    path = `x${String(rest % 1000).padStart(3, '0')}/${path}`;
    rest = Math.floor(rest / 1000);
  }
  const full = join(log, 'tile', level, path);
  const partial = `${full}.p/${width}`;
  return readFileSync(width < 256 && existsSync(partial) ? partial : full);
}

/** All entries below a size, from the bundles. */
export function readEntries(log: string, size: number): Buffer[] {
  const entries: Buffer[] = [];
  for (let n = 0; n * 256 < size; n += 1) {
    const width = Math.min(256, size - n * 256);
    const bytes = tileFile(log, 'entries', n, width);
    for (let at = 0, k = 0; k < width; k += 1) {
      const length = bytes.readUInt16BE(at);
      entries.push(bytes.subarray(at + 2, at + 2 + length));
      at += 2 + length;
    }
  }
  return entries;
}

/** The hash of the full subtree of 256^level leaves number `index`, from the tile that stores it. */
function storedHash(log: string, size: number, level: number, index: number): Buffer {
  const count = Math.floor(size / 256 ** level);
  const n = Math.floor(index / 256);
  const bytes = tileFile(log, String(level), n, Math.min(256, count - n * 256));
  const at = (index % 256) * 32;
  return bytes.subarray(at, at + 32);
}

/** MTH(D[from:to]) from the tiles alone, as a client would compute it: never from the entries. */
function hashOfRange(log: string, size: number, from: number, to: number): Buffer {
  const count = to - from;
  for (let level = 0; 256 ** level <= count; level += 1) {
    if (count === 256 ** level && from % count === 0) return storedHash(log, size, level, from / count);
  }
  const k = splitOf(count);
  const left = hashOfRange(log, size, from, from + k);
  return sha256(Uint8Array.of(1), left, hashOfRange(log, size, from + k, to));
}

/** RFC 9162, section 2.1.3.1: the inclusion proof PATH(m, D[from:to]). */
export function inclusionProof(log: string, size: number, m: number, from = 0, to = size): Buffer[] {
  const n = to - from;
  if (n === 1) return [];
  const k = splitOf(n);
  return m < k
    ? [...inclusionProof(log, size, m, from, from + k), hashOfRange(log, size, from + k, to)]
    : [...inclusionProof(log, size, m - k, from + k, to), hashOfRange(log, size, from, from + k)];
}

/** RFC 9162, section 2.1.3.2. */
export function rootByInclusion(leaf: Uint8Array, m: number, size: number, proof: readonly Buffer[]): Buffer {
  let fn = m;
  let sn = size - 1;
  let r = sha256(Uint8Array.of(0), leaf);
  for (const p of proof) {
    if (fn % 2 === 1 || fn === sn) {
      r = sha256(Uint8Array.of(1), p, r);
      while (fn % 2 === 0 && fn !== 0) {
        fn = Math.floor(fn / 2);
        sn = Math.floor(sn / 2);
      }
    } else {
      r = sha256(Uint8Array.of(1), r, p);
    }
    fn = Math.floor(fn / 2);
    sn = Math.floor(sn / 2);
  }
  if (sn !== 0) throw new Error('the proof has a wrong length');
  return r;
}

/** RFC 9162, section 2.1.4.1: the consistency proof SUBPROOF(m, D[from:to], b). */
export function consistencyProof(
  log: string,
  size: number,
  m: number,
  from = 0,
  to = size,
  b = true,
): Buffer[] {
  const n = to - from;
  if (m === n) return b ? [] : [hashOfRange(log, size, from, to)];
  const k = splitOf(n);
  return m <= k
    ? [...consistencyProof(log, size, m, from, from + k, b), hashOfRange(log, size, from + k, to)]
    : [...consistencyProof(log, size, m - k, from + k, to, false), hashOfRange(log, size, from, from + k)];
}

/** RFC 9162, section 2.1.4.2: whether the tree of `size` and `root` continues that of `oldSize` and `oldRoot`. */
export function isContinuation(
  older: { readonly size: number; readonly root: Buffer },
  newer: { readonly size: number; readonly root: Buffer },
  proof: readonly Buffer[],
): boolean {
  if (older.size === newer.size) return proof.length === 0 && older.root.equals(newer.root);
  const path = (older.size & (older.size - 1)) === 0 ? [older.root, ...proof] : [...proof];
  let fn = older.size - 1;
  let sn = newer.size - 1;
  while (fn % 2 === 1) {
    fn = Math.floor(fn / 2);
    sn = Math.floor(sn / 2);
  }
  const [first, ...rest] = path;
  if (first === undefined) return false;
  let fr = first;
  let sr = first;
  for (const c of rest) {
    if (sn === 0) return false;
    if (fn % 2 === 1 || fn === sn) {
      fr = sha256(Uint8Array.of(1), c, fr);
      sr = sha256(Uint8Array.of(1), c, sr);
      while (fn % 2 === 0 && fn !== 0) {
        fn = Math.floor(fn / 2);
        sn = Math.floor(sn / 2);
      }
    } else {
      sr = sha256(Uint8Array.of(1), sr, c);
    }
    fn = Math.floor(fn / 2);
    sn = Math.floor(sn / 2);
  }
  return fr.equals(older.root) && sr.equals(newer.root) && sn === 0;
}
