import { parseLine } from './line.ts';
import { LogDamaged, readBundle, readEntries, readLogFile } from './log-files.ts';
import { cosignNote, openNote, type Signer, type Verifier } from './note.ts';
import type { AccessRecord, AuditEntry } from './record.ts';
import { TILE_WIDTH } from './tree.ts';

/** Where the open transfers of a log are kept, so that a start need not look for them in all leaves. */
export const TRANSFERS_FILE = 'transfers';

/** More at once than a node ever serves; beyond that the oldest is forgotten, and stays without a completion. */
const OPEN_MAX = 2048;
/** Without the file, no start looks further back than so many leaves. */
const LOOK_BACK = 100_000;

const TITLE = 'dockgate open transfers';

/** A transfer whose end no record tells yet. */
interface OpenTransfer {
  /** Leaf index of its decision. */
  readonly index: number;
  readonly decision: AccessRecord;
  /** Its process has ended: nobody will tell any more. */
  readonly hasEnded: boolean;
}

/**
 * The transfers whose decision is in the log and whose completion is not. It follows from the leaves, so it costs the
 * writers nothing: the sequencer looks at each record once, as it passes.
 */
export interface Transfers {
  /** The next leaf. */
  meet(index: number, record: AccessRecord): void;
  /** Decisions of processes that ended before they told how their transfer did (threat A-19). */
  ended(): readonly AccessRecord[];
  /** Leaf index of the oldest that is open; `undefined`: none is. */
  oldest(): number | undefined;
  /** Signed text for TRANSFERS_FILE: numbers of leaves only, so nothing of a record is kept a second time. */
  print(size: number, ...signers: readonly Signer[]): string;
}

export function createTransfers(known: readonly OpenTransfer[] = []): Transfers {
  const open = new Map(known.map((each) => [each.decision.requestId, each]));
  return {
    meet(index, record) {
      const { kind, requestId, outcome, action, isTransfer } = record;
      if (kind === 'completion') open.delete(requestId);
      else if (kind === 'decision' && outcome === 'allowed' && isTransfer) {
        open.set(requestId, { index, decision: record, hasEnded: false });
        const [oldest] = open.keys();
        if (open.size > OPEN_MAX && oldest !== undefined) open.delete(oldest);
      } else if (kind === 'system' && action === 'log.reopened') {
        for (const [id, each] of open) {
          if (each.decision.writer === record.writer) open.set(id, { ...each, hasEnded: true });
        }
      }
    },
    ended: () => [...open.values()].filter(({ hasEnded }) => hasEnded).map(({ decision }) => decision),
    oldest: () => (open.size === 0 ? undefined : Math.min(...[...open.values()].map(({ index }) => index))),
    print(size, ...signers) {
      const lines = [...open.values()].map(({ index, hasEnded }) => `${index}${hasEnded ? ' ended' : ''}\n`);
      return cosignNote(`${TITLE}\n${size}\n${lines.join('')}`, signers);
    },
  };
}

/** The completion that closes a transfer whose process was killed: what arrived is not known, and that is said. */
export function unknownOutcome(decision: AccessRecord): AuditEntry & { readonly kind: 'completion' } {
  const { v, id, time, node, writer, seq, verdict, change, ...asked } = decision;
  const note = `${writer} ended before it told how the transfer did: how much of it left is not known`;
  return { ...asked, kind: 'completion', reason: 'outcome.unknown', note };
}

/** Finds the open transfers of a log of `size` leaves, from the signed file and the leaves after it. @throws {LogDamaged} */
export async function openTransfers(
  log: string,
  { from, size }: { readonly from: number; readonly size: number },
  verifier: Verifier,
): Promise<Transfers> {
  const note = await readLogFile(log, TRANSFERS_FILE);
  const text = note === undefined ? undefined : openNote(note, verifier);
  const parsed = text === undefined ? undefined : parseTransfers(text);
  const known = parsed !== undefined && parsed.size <= size ? parsed : undefined;
  const open: OpenTransfer[] = [];
  for (const { index, hasEnded } of known?.open ?? []) {
    const decision = await readRecord(log, size, index);
    if (decision !== undefined) open.push({ index, decision, hasEnded });
  }
  const transfers = createTransfers(open);
  for await (const { index, line } of readEntries(
    log,
    Math.max(from, known?.size ?? size - LOOK_BACK),
    size,
  )) {
    const record = parseLine(line);
    if (record !== undefined) transfers.meet(index, record);
  }
  return transfers;
}

async function readRecord(log: string, size: number, index: number): Promise<AccessRecord | undefined> {
  const first = index - (index % TILE_WIDTH);
  try {
    const lines = await readBundle(log, first / TILE_WIDTH, Math.min(TILE_WIDTH, size - first));
    const line = lines[index - first];
    return line === undefined ? undefined : parseLine(line);
  } catch (error) {
    // An old bundle that is damaged is for `verify` to name; it must not keep the gateway from starting.
    if (error instanceof LogDamaged) return undefined;
    throw error;
  }
}

/** Whether it is such a note and the verifier's key signed it. */
export function isTransfersNote(note: string, verifier: Verifier): boolean {
  const text = openNote(note, verifier);
  return text !== undefined && parseTransfers(text) !== undefined;
}

function parseTransfers(
  text: string,
): { readonly size: number; readonly open: readonly Omit<OpenTransfer, 'decision'>[] } | undefined {
  const [title, size = '', ...lines] = text.split('\n').slice(0, -1);
  if (title !== TITLE || !/^\d{1,15}$/.test(size) || lines.length > OPEN_MAX) return undefined;
  const open: Omit<OpenTransfer, 'decision'>[] = [];
  for (const line of lines) {
    const match = /^(\d{1,15})( ended)?$/.exec(line);
    if (!match || Number(match[1]) >= Number(size)) return undefined;
    open.push({ index: Number(match[1]), hasEnded: match[2] !== undefined });
  }
  return { size: Number(size), open };
}
