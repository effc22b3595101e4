import type { Clock } from '../base/index.ts';
import type { Digest, Repository } from '../oci/index.ts';
import type { Verdict } from '../policy/index.ts';
import { messagesFor, refusedNow, type Wish } from './events.ts';
import type { Place, WebhookQueue } from './ports.ts';

/** Port: what there is to say of an image now; no scan is asked for. */
export interface Judge {
  peek(repository: Repository, digest: Digest): Promise<Verdict>;
}

const BATCH = 100;

/**
 * Looks at every image that was admitted once and tells of those that are refused now. One that waits for a scan is
 * neither, and stays. What is told of is watched again when it is admitted again.
 */
export async function watchAdmitted(
  { source, wishes }: { readonly source: string; readonly wishes: readonly Wish[] },
  parts: { readonly queue: WebhookQueue; readonly judge: Judge; readonly clock: Clock },
  signal: AbortSignal,
): Promise<number> {
  const { queue, judge, clock } = parts;
  let count = 0;
  let after: Place | undefined;
  while (!signal.aborted) {
    const places = await queue.listAdmitted(after, BATCH);
    const nowMs = clock.nowMs();
    const refused: Place[] = [];
    const messages = [];
    for (const place of places) {
      const verdict = await judge.peek(place.repository, place.digest);
      if (verdict.outcome !== 'block') continue;
      refused.push(place);
      const happened = refusedNow(place, verdict, nowMs);
      messages.push(...messagesFor(happened, wishes, { source, nowMs }));
    }
    if (refused.length > 0) await queue.notice({ messages, refused }, nowMs);
    count += refused.length;
    after = places.at(-1);
    if (places.length < BATCH) return count;
  }
  return count;
}
