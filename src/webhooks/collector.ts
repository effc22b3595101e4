import type { AccessRecord } from '../audit/index.ts';
import { type Clock, DAY_MS, SECOND_MS } from '../base/index.ts';
import { parseDigest, parseRepository } from '../oci/index.ts';
import { blockedBy, messagesFor, scannedIn, type Wish } from './events.ts';
import type { NewMessage, Place, WebhookQueue } from './ports.ts';

/** Port: the access log of this node. */
export interface RecordLog {
  /** Records under the newest checkpoint. */
  size(): number;
  read(from: number, to: number): Promise<readonly { readonly record: AccessRecord }[]>;
}

export interface CollectorOptions {
  readonly node: string;
  readonly source: string;
  readonly wishes: readonly Wish[];
}

const RECORDS_MAX = 500;
const NEWS_MAX = 50;
/** Where nothing was noticed, the cursor is written this seldom; reading a little twice is cheaper. */
const CURSOR_EVERY_MS = 10 * SECOND_MS;
const SEEN_MAX = 20_000;

/** Turns what the log and the scans say into messages. What it takes up is queued with its cursor, in one transaction. */
export function createCollector(
  options: CollectorOptions,
  parts: { readonly log: RecordLog; readonly queue: WebhookQueue; readonly clock: Clock },
): { collect(): Promise<boolean> } {
  const { log, queue, clock } = parts;
  const { node, source, wishes } = options;
  const isWatching = wishes.some(({ events }) => events.includes('vulnerability.found'));
  const seen = new Map<string, number>();
  let next: number | undefined;
  let writtenAtMs = 0;

  /** Whether the image was noted today already: a thousand pulls of it are one row. */
  const isNoted = (key: string, nowMs: number): boolean => {
    if (nowMs - (seen.get(key) ?? 0) < DAY_MS) return true;
    if (seen.size >= SEEN_MAX) seen.clear();
    seen.set(key, nowMs);
    return false;
  };

  const admittedBy = (record: AccessRecord, nowMs: number): Place | undefined => {
    if (!isWatching || record.action !== 'pull' || record.outcome !== 'allowed') return undefined;
    if (record.verdict?.outcome !== 'allow') return undefined;
    const repository = parseRepository(record.repository ?? '');
    const digest = parseDigest(record.digest ?? '');
    if (!repository || !digest || isNoted(`${repository}@${digest}`, nowMs)) return undefined;
    return { repository, digest };
  };

  async function collectRecords(nowMs: number): Promise<boolean> {
    // A webhook hears of what happens from its first start on; what was before is in the log.
    next ??= (await queue.findCursor(node)) ?? log.size();
    const to = Math.min(log.size(), next + RECORDS_MAX);
    if (to <= next) return false;
    const records = await log.read(next, to);
    const messages: NewMessage[] = [];
    const admitted: Place[] = [];
    for (const { record } of records) {
      const blocked = blockedBy(record, parseRepository(record.repository ?? ''));
      if (blocked) messages.push(...messagesFor(blocked, wishes, { source, nowMs }));
      const place = admittedBy(record, nowMs);
      if (place) admitted.push(place);
    }
    if (messages.length + admitted.length > 0 || nowMs - writtenAtMs >= CURSOR_EVERY_MS) {
      await queue.notice({ messages, admitted, cursor: { node, next: to } }, nowMs);
      writtenAtMs = nowMs;
    }
    next = to;
    return true;
  }

  async function collectScans(nowMs: number): Promise<boolean> {
    const told = await queue.listScanNews(NEWS_MAX);
    if (told.length === 0) return false;
    const messages = told
      .flatMap(scannedIn)
      .flatMap((happened) => messagesFor(happened, wishes, { source, nowMs }));
    await queue.notice({ messages, told }, nowMs);
    return told.length === NEWS_MAX;
  }

  return {
    /** @returns whether there may be more at once. */
    async collect() {
      const nowMs = clock.nowMs();
      const hasRecords = await collectRecords(nowMs);
      return (await collectScans(nowMs)) || hasRecords;
    },
  };
}
