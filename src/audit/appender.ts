import { type Clock, type Logger, newId, type Random } from '../base/index.ts';
import { codeOf } from './disk.ts';
import { encodeLine, type Line } from './line.ts';
import { LockLost } from './lock.ts';
import type { AuditEntry } from './record.ts';
import type { WriterStart } from './recover.ts';
import type { Series } from './series.ts';
import { printTime } from './stamp.ts';

/** After a failed write the next try comes after this many milliseconds, then after twice as long, up to the second. */
const RETRY_MS = 250;
const RETRY_MS_MAX = 5000;

export interface AppenderParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly series: Series;
  /** Called when a failed append may be tried again. */
  readonly onRested: () => void;
}

/**
 * Lines of a failed append, with their numbers. Some, all or none of them may be in the suspect segment and the
 * sequencer may have read them, so they are written again, byte for byte, before anything else: each number then has
 * one line, however often it is found. Their callers were answered 503, which the last line of them says.
 */
interface Unsettled {
  readonly text: string;
  readonly count: number;
}

/** Numbers entries, prints them as lines and makes them durable, one append at a time. */
export class Appender {
  readonly #names: { readonly node: string; readonly writer: string };
  readonly #parts: AppenderParts;
  #seq: number;
  #lastUs: number;
  #unsettled: Unsettled | undefined;
  #restMs = RETRY_MS;
  #restTimer: NodeJS.Timeout | undefined;
  #sinceMs: number | undefined;
  /** Another process has taken over: nothing may be written any more. */
  isLost = false;
  /** The last append failed a moment ago: nothing is tried. */
  isResting = false;

  constructor(
    names: { readonly node: string; readonly writer: string },
    start: WriterStart,
    parts: AppenderParts,
  ) {
    this.#names = names;
    this.#parts = parts;
    this.#seq = start.lastSeq;
    this.#lastUs = start.newestUs;
  }

  /** Whether the last append succeeded. */
  get isSettled(): boolean {
    return this.#unsettled === undefined;
  }

  /** Milliseconds since the append in flight began; 0 when there is none. */
  get inFlightMs(): number {
    return this.#sinceMs === undefined ? 0 : this.#parts.clock.monotonicMs() - this.#sinceMs;
  }

  /** @throws what the disk said; nothing of the batch may then count as recorded. */
  async append(
    batch: readonly { readonly entry: AuditEntry; readonly timeUs: number }[],
  ): Promise<readonly Line[]> {
    const lines = this.#encodeAll(batch);
    const text = lines.map((line) => `${line.text}\n`).join('');
    try {
      await this.#write(text);
    } catch (error) {
      this.#unsettled = { text: `${text}${this.#statement(lines, error).text}\n`, count: lines.length };
      this.#failed(error);
      throw error;
    }
    return lines;
  }

  /** Makes the lines of the last failed append durable. @throws what the disk said; they stay unsettled. */
  async settle(): Promise<void> {
    if (this.#unsettled === undefined) return;
    try {
      await this.#write(this.#unsettled.text);
    } catch (error) {
      this.#failed(error);
      throw error;
    }
    const { count } = this.#unsettled;
    this.#unsettled = undefined;
    this.#restMs = RETRY_MS;
    this.#parts.logger.info('access log writable again', { writer: this.#names.writer, records: count });
  }

  /** Looks whether the files are where they belong. @throws what is wrong; nothing is then taken until it is mended. */
  async look(): Promise<void> {
    if (this.#unsettled !== undefined) return;
    try {
      await this.#parts.series.look();
    } catch (error) {
      this.#unsettled = { text: '', count: 0 };
      this.#failed(error);
      throw error;
    }
  }

  /** Ends the rest after a failure: the next append is tried at once. */
  wake(): void {
    clearTimeout(this.#restTimer);
    this.isResting = false;
  }

  async close(): Promise<void> {
    clearTimeout(this.#restTimer);
    // Everything acknowledged is durable, so nothing depends on how the close ends.
    await this.#parts.series.close().catch(() => undefined);
  }

  /** All or nothing: an entry that cannot be printed (a bug) must not leave a hole in the numbers. */
  #encodeAll(batch: readonly { readonly entry: AuditEntry; readonly timeUs: number }[]): readonly Line[] {
    const before = this.#seq;
    try {
      return batch.map(({ entry, timeUs }) => this.#encode(entry, timeUs));
    } catch (error) {
      this.#seq = before;
      throw error;
    }
  }

  #encode(entry: AuditEntry, timeUs: number): Line {
    this.#seq += 1;
    this.#lastUs = Math.max(this.#lastUs, timeUs);
    const id = newId(this.#parts.random);
    return encodeLine(entry, { id, time: printTime(this.#lastUs), ...this.#names, seq: this.#seq });
  }

  /** The line that says what became of the callers of a failed append. */
  #statement(lines: readonly Line[], cause: unknown): Line {
    const first = lines[0]?.record.seq;
    const last = lines.at(-1)?.record.seq;
    const entry: AuditEntry = {
      kind: 'system',
      requestId: newId(this.#parts.random),
      action: 'log.recovered',
      outcome: 'allowed',
      status: 0,
      reason: `write.${codeOf(cause)}`,
      count: lines.length,
      note: `a write failed; records ${first} to ${last} were answered 503, whatever they say`,
    };
    return this.#encode(entry, this.#lastUs);
  }

  async #write(text: string): Promise<void> {
    this.#sinceMs = this.#parts.clock.monotonicMs();
    try {
      await this.#parts.series.append(Buffer.from(text, 'latin1'));
    } finally {
      this.#sinceMs = undefined;
    }
  }

  #failed(cause: unknown): void {
    const { writer } = this.#names;
    this.#parts.logger.error('access log not writable', { writer, code: codeOf(cause) }, cause);
    this.isLost = cause instanceof LockLost;
    this.isResting = true;
    clearTimeout(this.#restTimer);
    if (this.isLost) return;
    this.#restTimer = setTimeout(() => {
      this.isResting = false;
      this.#parts.onRested();
    }, this.#restMs);
    this.#restTimer.unref();
    this.#restMs = Math.min(2 * this.#restMs, RETRY_MS_MAX);
  }
}
