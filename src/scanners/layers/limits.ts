import { GiB, MINUTE_MS, MiB } from '../../base/index.ts';

/** How much of one image the inspector reads before it says `unscannable`. Every limit is per blob unless said. */
export interface InspectionLimits {
  /** Bytes of one blob as it is stored. */
  readonly compressedBytesMax: number;
  /** Bytes of one blob after decompression. */
  readonly plainBytesMax: number;
  /** How many times its stored size a blob may expand; minded only beyond `expansionFreeBytes`. */
  readonly expansionMax: number;
  /** Plain bytes that any blob may expand to: a file of zeros is no bomb. */
  readonly expansionFreeBytes: number;
  readonly entriesMax: number;
  /** Bytes of an entry's name; Linux's PATH_MAX. */
  readonly nameBytesMax: number;
  /** Compressions wrapped in one another. */
  readonly nestingMax: number;
  readonly configBytesMax: number;
  /** Time to read one blob, waiting for its bytes included. */
  readonly blobMsMax: number;
  /** Findings of one image that are kept; of more only the worst. */
  readonly findingsMax: number;
}

export const DEFAULT_LIMITS: InspectionLimits = {
  compressedBytesMax: 16 * GiB,
  plainBytesMax: 64 * GiB,
  expansionMax: 200,
  expansionFreeBytes: 512 * MiB,
  entriesMax: 1_000_000,
  nameBytesMax: 4096,
  nestingMax: 2,
  configBytesMax: 4 * MiB,
  blobMsMax: 10 * MINUTE_MS,
  findingsMax: 1000,
};

/** Content that cannot be inspected as a whole; the message is a clause that says why. */
export class Unscannable extends Error {
  override readonly name = 'Unscannable';
}
