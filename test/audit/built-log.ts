import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { signCheckpoint } from '../../src/audit/checkpoint.ts';
import { growLog, type LogHead } from '../../src/audit/growth.ts';
import { createLogKey } from '../../src/audit/key.ts';
import { encodeLine } from '../../src/audit/line.ts';
import {
  CHECKPOINT_FILE,
  KEY_FILE,
  logDirectory,
  POSITIONS_FILE,
  removePartials,
  writeLogFile,
  writeTiles,
} from '../../src/audit/log-files.ts';
import { leafHash } from '../../src/audit/merkle.ts';
import { printVerifierKey, type Signer } from '../../src/audit/note.ts';
import { printPositions } from '../../src/audit/positions.ts';
import type { AuditEntry } from '../../src/audit/record.ts';
import { createTransfers, TRANSFERS_FILE } from '../../src/audit/transfers.ts';
import { createTree } from '../../src/audit/tree.ts';
import { entry } from './lab.ts';

/** A log written straight into its files, without writers: large ones are made in a moment. */
export interface BuiltLog {
  readonly directory: string;
  /** `log/` in it. */
  readonly log: string;
  readonly publicKey: string;
  readonly signer: Signer;
  /** Signed notes at each size the log was grown to. */
  readonly checkpoints: ReadonlyMap<number, string>;
  /** Appends records up to `size` and signs. A text instead of a record becomes a leaf as it is. */
  growTo(size: number, entryAt?: (index: number) => Partial<AuditEntry> | string): Promise<void>;
  end(): Promise<void>;
}

/** @param known who signs; default: a new key. */
export async function buildLog(node = 'n1', known?: Signer): Promise<BuiltLog> {
  const directory = await mkdtemp(join(tmpdir(), 'dockgate-built-'));
  const log = logDirectory(directory);
  const key = createLogKey(generateKeyPairSync('ed25519').privateKey);
  const signer: Signer = known ?? { name: `dockgate/${node}`, ...key };
  const publicKey = printVerifierKey(signer.name, signer.publicKey);
  const checkpoints = new Map<number, string>();
  let head: LogHead = { tree: createTree(), lines: [] };
  return {
    ...{ directory, log, publicKey, signer, checkpoints },
    async growTo(size, entryAt = () => ({})) {
      const lines: Buffer[] = [];
      for (let index = head.tree.size; index < size; index += 1) {
        const wanted = entryAt(index);
        lines.push(
          Buffer.from(typeof wanted === 'string' ? wanted : printLine(index, node, wanted), 'latin1'),
        );
      }
      const grown = growLog(
        head,
        lines.map((bytes) => ({ bytes, leaf: leafHash(bytes) })),
      );
      await writeTiles(log, grown.files);
      const note = signCheckpoint({ size, root: grown.head.tree.root() }, signer);
      await writeLogFile(log, CHECKPOINT_FILE, note);
      await writeLogFile(log, KEY_FILE, `${publicKey}\n`);
      await writeLogFile(log, POSITIONS_FILE, printPositions({ size, writers: new Map() }, signer));
      await writeLogFile(log, TRANSFERS_FILE, createTransfers().print(size, signer));
      await removePartials(log, grown.files);
      checkpoints.set(size, note);
      head = grown.head;
    },
    end: () => rm(directory, { recursive: true, force: true }),
  };
}

function printLine(index: number, node: string, wanted: Partial<AuditEntry>): string {
  const us = String(index % 1_000_000).padStart(6, '0');
  const second = new Date(1_790_000_000_000 + Math.floor(index / 1_000_000) * 1000)
    .toISOString()
    .slice(0, 19);
  const stamp = { id: `record-${index}`, time: `${second}.${us}Z`, node, writer: 'w1', seq: index + 1 };
  return encodeLine(entry({ requestId: `request-${index}`, ...wanted }), stamp).text;
}
