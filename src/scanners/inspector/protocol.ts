import type { Finding } from '../../policy/index.ts';
import type { InspectionLimits } from '../layers/limits.ts';

/** One blob to inspect; its bytes follow in `chunk` messages. */
export interface BlobJob {
  /** As in BlobOptions; `config`: an image config. */
  readonly role: 'layer' | 'part' | 'file' | 'config';
  /** How the blob is called where it is a file. */
  readonly name: string;
  readonly limits: InspectionLimits;
  /** For `config`. */
  readonly nowMs: number;
  /** For `config`: names that the layers give user id 0. */
  readonly superusers: readonly string[];
  /** For `config`: whether the image can run at all, so that its settings matter. */
  readonly isRunnable: boolean;
}

export interface BlobResult {
  /** Why it could not be read to the end; what was found up to there is listed all the same. */
  readonly unscannable?: string;
  readonly findings: readonly Finding[];
  readonly droppedCount: number;
  readonly isArchive: boolean;
  readonly superusers?: readonly string[];
  readonly createdAtMs?: number;
  readonly baseCreatedAtMs?: number;
}

/** To a thread. A thread works on one blob at a time; chunks of a blob it has given up on are ignored. */
export type ToThread =
  | { readonly type: 'job'; readonly job: BlobJob }
  | { readonly type: 'chunk'; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly type: 'end' };

/** From a thread. `ready`: its program has started. `taken`: one more chunk may be sent. */
export type FromThread =
  | { readonly type: 'ready' }
  | { readonly type: 'taken' }
  | { readonly type: 'result'; readonly result: BlobResult };
