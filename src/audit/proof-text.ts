import { HASH_BYTES, type TreeHash } from './merkle.ts';
import { PATH_HASHES_MAX } from './paths.ts';

/** A record's place in the log, checkable without the log. */
export interface InclusionProof {
  readonly index: number;
  readonly path: readonly TreeHash[];
  /** The signed note. */
  readonly checkpoint: string;
  /** The record's exact line; absent in a proof that others made. */
  readonly line?: Uint8Array;
}

/** That a log continues an older one, checkable with the older one's checkpoint. */
export interface ConsistencyProof {
  readonly oldSize: number;
  readonly path: readonly TreeHash[];
  /** The newer signed note. */
  readonly checkpoint: string;
}

/** More is no proof of ours: a line, a path and a note. */
const PROOF_CHARACTERS_MAX = 128 * 1024;

const INCLUSION = 'c2sp.org/tlog-proof@v1';

/** C2SP tlog-proof. Its extra data is the record itself: the checker hashes it, so it need not be trusted. */
export function printInclusionProof({ index, path, checkpoint, line }: InclusionProof): string {
  const extra = line === undefined ? [] : [`extra ${Buffer.from(line).toString('base64')}`];
  return [INCLUSION, ...extra, `index ${index}`, ...path.map(printHash), '', checkpoint].join('\n');
}

/** `undefined` unless it is exactly of the form of C2SP tlog-proof. What it says is not checked here. */
export function parseInclusionProof(text: string): InclusionProof | undefined {
  const parts = splitProof(text);
  if (parts?.head.shift() !== INCLUSION) return undefined;
  const extra = parts.head[0]?.startsWith('extra ') ? parts.head.shift() : undefined;
  const line = extra === undefined ? undefined : parseBase64(extra.slice('extra '.length));
  const index = parseCount(parts.head.shift(), 'index');
  const path = parsePath(parts.head);
  if (index === undefined || path === undefined || (extra !== undefined && !line)) return undefined;
  return { index, path, checkpoint: parts.checkpoint, ...(line ? { line } : {}) };
}

/** The body of C2SP tlog-witness, `add-checkpoint`: there is no other public text form, and witnesses read this one. */
export function printConsistencyProof({ oldSize, path, checkpoint }: ConsistencyProof): string {
  return [`old ${oldSize}`, ...path.map(printHash), '', checkpoint].join('\n');
}

/** `undefined` unless it is exactly of that form. */
export function parseConsistencyProof(text: string): ConsistencyProof | undefined {
  const parts = splitProof(text);
  const oldSize = parseCount(parts?.head.shift(), 'old');
  const path = parts === undefined ? undefined : parsePath(parts.head);
  if (parts === undefined || oldSize === undefined || path === undefined) return undefined;
  return { oldSize, path, checkpoint: parts.checkpoint };
}

/** The lines before the first empty one, and the note after it. */
function splitProof(text: string): { readonly head: string[]; readonly checkpoint: string } | undefined {
  const end = text.indexOf('\n\n');
  if (end < 0 || text.length > PROOF_CHARACTERS_MAX) return undefined;
  return { head: text.slice(0, end).split('\n'), checkpoint: text.slice(end + 2) };
}

function printHash(hash: TreeHash): string {
  return hash.toString('base64');
}

function parsePath(lines: readonly string[]): readonly TreeHash[] | undefined {
  if (lines.length > PATH_HASHES_MAX) return undefined;
  const path: TreeHash[] = [];
  for (const line of lines) {
    const hash = parseBase64(line);
    if (hash?.length !== HASH_BYTES) return undefined;
    path.push(hash);
  }
  return path;
}

/** `undefined` for a second spelling, too: a proof has one text. */
function parseBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.length > 0 && bytes.toString('base64') === text ? bytes : undefined;
}

function parseCount(line: string | undefined, word: string): number | undefined {
  const digits = line?.startsWith(`${word} `) ? line.slice(word.length + 1) : '';
  if (!/^(0|[1-9]\d{0,15})$/.test(digits) || !Number.isSafeInteger(Number(digits))) return undefined;
  return Number(digits);
}
