import type { Digest, Repository } from '../oci/index.ts';

/** What somebody may want to hear of. */
export type WebhookEvent = 'image.blocked' | 'image.scanned' | 'vulnerability.found';

/** One message for one webhook, as it waits. */
export interface Message {
  /** The same at each try, so that a receiver knows what it has (`webhook-id`). */
  readonly id: string;
  readonly webhook: string;
  readonly event: string;
  /** The exact body. */
  readonly body: string;
}

/** A message that may be one too many. */
export interface NewMessage extends Message {
  /** Nothing is queued when a message with this key was, until then. */
  readonly once?: { readonly key: string; readonly untilMs: number };
}

export interface Place {
  readonly repository: Repository;
  readonly digest: Digest;
}

/** A scan that ended, which nobody was told of yet. */
export interface ScanNews {
  readonly digest: Digest;
  readonly by: string;
  readonly atMs: number;
  readonly status: 'done' | 'unscannable';
  /** Where the image lies. */
  readonly repositories: readonly Repository[];
  /** What this scanner found, by severity. */
  readonly findings: Readonly<Record<string, number>>;
}

/** What happens at once or not at all: what was noticed, and how far that was. */
export interface Noticed {
  readonly messages: readonly NewMessage[];
  /** The first record of this node's log that was not looked at. */
  readonly cursor?: { readonly node: string; readonly next: number };
  readonly told?: readonly ScanNews[];
  /** Images that were served or found good: they are watched. */
  readonly admitted?: readonly Place[];
  /** Watched images that are refused now. */
  readonly refused?: readonly Place[];
}

/** The oldest message of a webhook, held by who took it. */
export interface TakenMessage extends Message {
  readonly attempts: number;
  readonly queuedAtMs: number;
}

export interface DeadMessage {
  readonly id: string;
  readonly webhook: string;
  readonly event: string;
  readonly queuedAtMs: number;
  readonly attempts: number;
  readonly reason: string;
}

export interface QueueCount {
  readonly webhook: string;
  readonly waiting: number;
  readonly dead: number;
}

/** Port, implemented by `store/`: the durable queue. Used by the housekeeping process only. */
export interface WebhookQueue {
  findCursor(node: string): Promise<number | undefined>;
  /** Scans that nobody was told of, oldest first. */
  listScanNews(limit: number): Promise<readonly ScanNews[]>;
  /** @returns how many messages were queued. One for a full queue is dead at once. */
  notice(noticed: Noticed, nowMs: number): Promise<number>;
  /** Watched images behind `after`, in their order. */
  listAdmitted(after: Place | undefined, limit: number): Promise<readonly Place[]>;
  /** Takes the oldest message unless it is held or its next try is later; held until `leaseMs` later. */
  take(webhook: string, nowMs: number, leaseMs: number): Promise<TakenMessage | undefined>;
  finish(message: Message): Promise<void>;
  retry(message: Message, failed: { readonly notBeforeMs: number; readonly reason: string }): Promise<void>;
  /** It will not be tried again; the newest thousand of a webhook are kept to be looked at. */
  bury(message: Message, reason: string): Promise<void>;
  counts(): Promise<readonly QueueCount[]>;
  /** Newest first. */
  listDead(webhook: string, limit: number): Promise<readonly DeadMessage[]>;
  /** Forgets what is over: keys that no longer count, images not served since, messages of webhooks that are gone. */
  sweep(webhooks: readonly string[], nowMs: number): Promise<void>;
}
