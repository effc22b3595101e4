import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AuditEntry } from '../audit/index.ts';
import { ANONYMOUS_IDENTITY, type Identity } from '../auth/index.ts';
import type { DecisionFacts } from './plan.ts';

/** One request on its way, with what is known about it so far: whatever breaks, the record says that much. */
export interface Exchange {
  readonly id: string;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly baseUrl: string;
  /** The client's; a header changes it only where a trusted proxy sent it. */
  readonly address: string;
  readonly userAgent: string | undefined;
  readonly startedAtMs: number;
  /** Absent until somebody is proved. */
  identity?: Identity;
  facts: DecisionFacts;
  /** The decision is in the log; what comes after it is a completion. */
  isRecorded: boolean;
  /** The client waits for `100 Continue` and was not told to go on, so no body is on its way. */
  isBodyHeldBack: boolean;
}

export function entryOf<K extends 'decision' | 'completion'>(
  exchange: Exchange,
  kind: K,
  outcome: AuditEntry['outcome'],
  status: number,
): AuditEntry & { readonly kind: K } {
  const { principal, via, tokenId } = exchange.identity ?? ANONYMOUS_IDENTITY;
  return {
    kind,
    requestId: exchange.id,
    ...exchange.facts,
    outcome,
    status,
    method: exchange.request.method ?? '',
    principal: {
      kind: principal.kind,
      id: principal.id,
      name: principal.name,
      via,
      ...(tokenId ? { tokenId } : {}),
    },
    client: {
      address: exchange.address,
      ...(exchange.userAgent === undefined ? {} : { userAgent: exchange.userAgent }),
    },
  };
}
