import { rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Logger, newId, type Random } from '../base/index.ts';
import { cosignCheckpoint } from './checkpoint.ts';
import { isThere, syncDirectory } from './disk.ts';
import { loadOrCreateLogKey } from './key.ts';
import { CHECKPOINT_FILE, KEY_FILE, writeLogFile } from './log-files.ts';
import { parseVerifierKey, printVerifierKey, type Signer } from './note.ts';
import type { Head } from './paths.ts';
import type { AccessRecord, Audit } from './record.ts';
import { followKeys, printRotation, rotationFile } from './rotation.ts';

/** Where the log's private key lies, and where the one that is to follow it is put. */
export interface KeyPaths {
  readonly current: string;
  readonly next: string;
}

export function keyPathsOf(current: string): KeyPaths {
  return { current, next: current.replace(/(\.pem)?$/, '.next.pem') };
}

const ACTION = 'log.key';

interface LookParts {
  readonly audit: Pick<Audit, 'note'>;
  readonly random: Random;
  readonly logger: Logger;
}

/**
 * The exchange of the log's key. A new key that was put beside the old one is first told in a record; when a checkpoint
 * covers that, both keys sign where the log stands, and the new one takes the old one's place. Each step may be the
 * last before a crash: the next start goes on with what it finds.
 */
export class NextKey {
  readonly #log: string;
  readonly #paths: KeyPaths;
  #next: Signer | undefined;
  #isTold = false;
  #isRefused = false;

  constructor(log: string, paths: KeyPaths) {
    this.#log = log;
    this.#paths = paths;
  }

  /** Looks for a new key, and tells of it once. What lies there and is no key is left alone until the next start. */
  async look(signer: Signer, parts: LookParts): Promise<void> {
    if (this.#isRefused || this.#next !== undefined || !(await isThere(this.#paths.next))) return;
    try {
      const key = await loadOrCreateLogKey(this.#paths.next);
      this.#next = { name: signer.name, publicKey: key.publicKey, sign: key.sign };
    } catch (error) {
      this.#isRefused = true;
      parts.logger.error("the key that is to follow the log's key cannot be used", {}, error);
      return;
    }
    const after = textOf(this.#next);
    // A crash came after both had signed: what is left to do is to put the new key in its place.
    const believed = parseVerifierKey(textOf(signer));
    this.#isTold = believed !== undefined && (await followKeys(this.#log, believed)).newest.text === after;
    if (this.#isTold) return;
    parts.audit.note({
      kind: 'system',
      requestId: newId(parts.random),
      action: ACTION,
      outcome: 'allowed',
      status: 0,
      change: { before: textOf(signer), after },
      note: "the log's key is exchanged for another",
    });
  }

  /** Called with each record that a checkpoint covers. */
  meet({ kind, action, change }: AccessRecord): void {
    if (this.#next === undefined || kind !== 'system' || action !== ACTION) return;
    if (change?.after === textOf(this.#next)) this.#isTold = true;
  }

  /**
   * Exchanges the keys when the record of it is covered.
   *
   * @param keepNotes signs anew what the old key has signed beside the checkpoint.
   * @returns who signs from now on.
   */
  async exchange(
    signer: Signer,
    head: Head,
    keepNotes: (...signers: readonly Signer[]) => Promise<void>,
  ): Promise<Signer> {
    const next = this.#next;
    if (next === undefined || !this.#isTold) return signer;
    const believed = parseVerifierKey(textOf(signer));
    const chain = believed && (await followKeys(this.#log, believed));
    // A checkpoint that both signed comes first: it is good by either key, whichever is believed when.
    await writeLogFile(this.#log, CHECKPOINT_FILE, cosignCheckpoint(head, [signer, next]));
    // So do the notes beside it: the new key alone must do from here on, wherever a crash comes.
    await keepNotes(signer, next);
    if (chain?.newest.text !== textOf(next)) {
      const note = printRotation(head, signer, next);
      await writeLogFile(this.#log, rotationFile((chain?.count ?? 0) + 1), note);
    }
    // It is in its place already where a write after that has failed.
    if (await isThere(this.#paths.next)) await rename(this.#paths.next, this.#paths.current);
    await syncDirectory(dirname(this.#paths.current));
    await writeLogFile(this.#log, KEY_FILE, `${textOf(next)}\n`);
    this.#next = undefined;
    this.#isTold = false;
    return next;
  }
}

function textOf({ name, publicKey }: Signer): string {
  return printVerifierKey(name, publicKey);
}
