import { type Checkpoint, openCheckpoint } from './checkpoint.ts';
import { parseLine } from './line.ts';
import { leafHash } from './merkle.ts';
import { parseVerifierKey } from './note.ts';
import { isContinuation, rootByInclusion } from './paths.ts';
import { type InclusionProof, parseConsistencyProof, parseInclusionProof } from './proof-text.ts';
import type { AccessRecord } from './record.ts';

/** What a proof shows, or why it shows nothing. */
export type ProofCheck =
  | {
      readonly isGood: true;
      readonly kind: 'inclusion';
      readonly origin: string;
      readonly size: number;
      readonly index: number;
      readonly record: AccessRecord;
    }
  | {
      readonly isGood: true;
      readonly kind: 'consistency';
      readonly origin: string;
      readonly size: number;
      readonly oldSize: number;
    }
  | { readonly isGood: false; readonly message: string };

/**
 * Checks a proof with the log's public key alone: no log, no server.
 *
 * @param proof text of an inclusion proof (C2SP tlog-proof) or of a consistency proof (C2SP tlog-witness).
 * @param against the older signed checkpoint; a consistency proof shows nothing without it.
 */
export function checkProof(
  proof: string,
  options: { readonly publicKey: string; readonly against?: string | undefined },
): ProofCheck {
  const verifier = parseVerifierKey(options.publicKey);
  if (!verifier) return bad('the public key is no Ed25519 key in the form name+id+base64');
  const inclusion = parseInclusionProof(proof);
  const consistency = inclusion ? undefined : parseConsistencyProof(proof);
  const note = (inclusion ?? consistency)?.checkpoint;
  if (note === undefined) return bad('this is neither a tlog-proof nor a consistency proof');
  const checkpoint = openCheckpoint(note, verifier);
  if (!checkpoint) return bad(`the checkpoint in the proof is not one that ${verifier.name} signed`);
  if (inclusion) return checkInclusion(inclusion, checkpoint);
  if (options.against === undefined)
    return bad('a consistency proof needs the older checkpoint: --against FILE');
  const older = openCheckpoint(options.against, verifier);
  if (!older) return bad(`the older checkpoint is not one that ${verifier.name} signed`);
  if (older.size !== consistency?.oldSize) {
    return bad(`the proof begins at ${consistency?.oldSize} records, the older checkpoint at ${older.size}`);
  }
  if (!isContinuation(older, checkpoint, consistency.path)) {
    return bad('the newer checkpoint does not continue the older one');
  }
  const { origin, size } = checkpoint;
  return { isGood: true, kind: 'consistency', origin, size, oldSize: older.size };
}

function checkInclusion({ index, path, line }: InclusionProof, checkpoint: Checkpoint): ProofCheck {
  const { origin, size, root } = checkpoint;
  if (line === undefined) return bad('the proof does not carry its record');
  if (index >= size) return bad(`the proof is about record ${index}, its checkpoint covers ${size}`);
  if (!rootByInclusion(leafHash(line), { index, size }, path)?.equals(root)) {
    return bad(`the record is not number ${index} of the log that ${origin} signed`);
  }
  const record = parseLine(line);
  if (!record) return bad(`entry ${index} is in the log, but is no access record`);
  return { isGood: true, kind: 'inclusion', origin, size, index, record };
}

function bad(message: string): ProofCheck {
  return { isGood: false, message };
}
