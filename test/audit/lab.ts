import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Retention } from '../../src/audit/border.ts';
import {
  type AuditEntry,
  type AuditWriter,
  type IndexedRecord,
  loadOrCreateLogKey,
  openAuditWriter,
  openSequencer,
  type RecordIndexReads,
  type RecordIndexWrites,
  type Sequencer,
  type VerifyOptions,
  type VerifyReport,
  verifyLog,
} from '../../src/audit/index.ts';
import type { OpenSegment } from '../../src/audit/segment-file.ts';
import { type Clock, type LogFields, type Logger, systemClock, systemRandom } from '../../src/base/index.ts';

/** A logger that keeps what it was told. */
interface KeepingLogger extends Logger {
  readonly lines: { readonly level: string; readonly message: string; readonly fields: LogFields }[];
}

function keepsLines(): KeepingLogger {
  const lines: KeepingLogger['lines'] = [];
  const at =
    (level: string) =>
    (message: string, fields: LogFields = {}) => {
      lines.push({ level, message, fields });
    };
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/** A search index in memory. */
export interface MemoryIndex extends RecordIndexWrites, Pick<RecordIndexReads, 'search'> {
  readonly records: IndexedRecord[];
}

export function indexInMemory(): MemoryIndex {
  const records: IndexedRecord[] = [];
  return {
    records,
    // One condition is enough for who looks for records of the log about itself.
    search: async ({ action }) => ({
      records: records.filter(({ record }) => record.action === action).toReversed(),
    }),
    nextIndex: async () => (records.at(-1)?.index ?? -1) + 1,
    append: async (added) => {
      records.push(...added);
    },
    removeBelow: async (index) => {
      const kept = records.filter((record) => record.index >= index);
      const count = records.length - kept.length;
      records.splice(0, records.length, ...kept);
      return count;
    },
    clear: async () => {
      records.length = 0;
    },
  };
}

/** One node's audit directory with everything that works on it. */
export interface Lab {
  readonly directory: string;
  readonly logger: KeepingLogger;
  readonly index: MemoryIndex;
  openWriter(options?: LabWriterOptions): Promise<AuditWriter>;
  openSequencer(options?: LabSequencerOptions): Promise<Sequencer>;
  verify(options?: Partial<VerifyOptions>): Promise<VerifyReport>;
  /** Closes what is open and removes the directory. */
  end(): Promise<void>;
}

interface LabWriterOptions {
  readonly writer?: string;
  readonly clock?: Clock;
  readonly openSegment?: OpenSegment;
  readonly waitMsMax?: number;
  readonly segmentBytesMax?: number;
  readonly waitingMax?: number;
  readonly notesPerSecond?: number;
  readonly reserveBytes?: number;
}

interface LabSequencerOptions {
  readonly node?: string;
  readonly clock?: Clock;
  readonly heartbeatMs?: number;
  readonly intervalMs?: number;
  readonly index?: RecordIndexWrites;
  readonly note?: (entry: AuditEntry) => void;
  readonly complete?: (entry: AuditEntry) => void;
  readonly keyPath?: string;
  readonly retention?: Retention;
  readonly pruneMs?: number;
}

/** Sequencers of the lab step only when they are told to. */
const NEVER_MS = 3_600_000;

export async function createLab(at?: string): Promise<Lab> {
  const directory = at ?? (await mkdtemp(join(tmpdir(), 'dockgate-audit-')));
  const logger = keepsLines();
  const index = indexInMemory();
  const open: { close(): Promise<void> }[] = [];
  return {
    directory,
    logger,
    index,
    async openWriter({ writer = 'w1', clock = systemClock, ...options } = {}) {
      const { openSegment, ...rest } = options;
      const opened = await openAuditWriter(
        { directory, node: 'n1', writer, durability: 'disk', waitMsMax: 5000, ...rest },
        { clock, random: systemRandom, logger, ...(openSegment === undefined ? {} : { openSegment }) },
      );
      open.push(opened);
      return opened;
    },
    async openSequencer({
      node = 'n1',
      clock = systemClock,
      note = () => undefined,
      complete = note,
      ...options
    } = {}) {
      const keyPath = options.keyPath ?? join(directory, 'keys', 'log.pem');
      const key = await loadOrCreateLogKey(keyPath);
      const opened = await openSequencer(
        {
          directory,
          node,
          keyPath,
          ...(options.retention === undefined ? {} : { retention: options.retention }),
          pruneMs: options.pruneMs ?? NEVER_MS,
          intervalMs: options.intervalMs ?? NEVER_MS,
          heartbeatMs: options.heartbeatMs ?? NEVER_MS,
        },
        {
          clock,
          random: systemRandom,
          logger,
          key,
          index: options.index ?? index,
          records: index,
          audit: { note, complete },
        },
      );
      open.push(opened);
      return opened;
    },
    async verify(options = {}) {
      const publicKey = options.publicKey ?? (await readFile(join(directory, 'log', 'key.pub'), 'utf8'));
      return verifyLog({ directory, ...options, publicKey });
    },
    async end() {
      for (const each of open.reverse()) await each.close().catch(() => undefined);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

let requests = 0;

/** A plain allowed pull, with what the test wants to be different. */
export function entry(rest: Partial<AuditEntry> = {}): AuditEntry {
  requests += 1;
  return {
    kind: 'decision',
    requestId: `request-${requests}`,
    action: 'pull',
    outcome: 'allowed',
    status: 200,
    repository: 'team/app',
    ...rest,
  };
}

/** Records `count` entries one batch after the other or together, as the writer likes. */
export async function recordMany(writer: AuditWriter, count: number): Promise<void> {
  for (let done = 0; done < count; done += 100) {
    const batch = Array.from({ length: Math.min(100, count - done) }, () => writer.record(entry()));
    await Promise.all(batch);
  }
}
