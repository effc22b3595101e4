import { HASH_BYTES, type TreeHash } from './merkle.ts';
import { cosignNote, openNote, type Signer, signNote, type Verifier } from './note.ts';

/** A signed tree head (C2SP tlog-checkpoint). */
export interface Checkpoint {
  readonly origin: string;
  /** Leaves covered. */
  readonly size: number;
  readonly root: TreeHash;
}

const ORIGIN_PREFIX = 'dockgate/';

export function originOf(node: string): string {
  return `${ORIGIN_PREFIX}${node}`;
}

/** The node in an origin line; empty when the log is not one of ours. */
export function nodeOf(origin: string): string {
  return origin.startsWith(ORIGIN_PREFIX) ? origin.slice(ORIGIN_PREFIX.length) : '';
}

/** The three lines of a checkpoint. The name of the signing key is the origin, as the spec recommends. */
export function checkpointText(origin: string, { size, root }: Omit<Checkpoint, 'origin'>): string {
  return `${origin}\n${size}\n${root.toString('base64')}\n`;
}

export function signCheckpoint(head: Omit<Checkpoint, 'origin'>, signer: Signer): string {
  return signNote(checkpointText(signer.name, head), signer);
}

/** The same, signed by several keys of the log. */
export function cosignCheckpoint(
  head: Omit<Checkpoint, 'origin'>,
  signers: readonly [Signer, ...Signer[]],
): string {
  return cosignNote(checkpointText(signers[0].name, head), signers);
}

/** `undefined` unless the verifier's key signed it and it is about the log of that name. */
export function openCheckpoint(note: string, verifier: Verifier): Checkpoint | undefined {
  const text = openNote(note, verifier);
  const [origin, size, root] = text?.split('\n') ?? [];
  if (origin !== verifier.name || size === undefined || !/^(0|[1-9]\d{0,15})$/.test(size)) return undefined;
  if (root === undefined || !/^[A-Za-z0-9+/]{43}=$/.test(root)) return undefined;
  const bytes = Buffer.from(root, 'base64');
  if (bytes.length !== HASH_BYTES || !Number.isSafeInteger(Number(size))) return undefined;
  return { origin, size: Number(size), root: bytes };
}
