import type { Request, Response } from 'express';
import type { AuditEntry } from '../audit/index.ts';
import type { Identity } from '../auth/index.ts';
import { clientAddress } from '../traffic/index.ts';
import type { Subject } from './operation.ts';
import type { ApiParts } from './parts.ts';

/** One request on its way through the room. */
export interface Exchange {
  readonly request: Request;
  readonly response: Response;
  readonly parts: Pick<ApiParts, 'audit' | 'logger'>;
}

/** What a record says beside what every request has. */
export interface RecordFacts {
  readonly action: string;
  readonly outcome: AuditEntry['outcome'];
  readonly status: number;
  readonly reason?: string;
  readonly note?: string;
  readonly identity?: Identity | undefined;
  readonly tokenId?: string;
  readonly subject?: Subject;
  /** What there was, and what there is now. */
  readonly before?: unknown;
  readonly change?: unknown;
}

/** The record of one answer. Nothing of the request's body is in it but what `facts` names. */
export function entryOf({ request, response }: Pick<Exchange, 'request' | 'response'>, facts: RecordFacts) {
  const { action, outcome, status, reason, note, identity, tokenId, subject } = facts;
  const userAgent = request.headers['user-agent'];
  return {
    kind: 'decision',
    requestId: String(response.locals.requestId),
    action,
    outcome,
    status,
    method: request.method,
    ...(reason === undefined ? {} : { reason }),
    ...(note === undefined ? {} : { note }),
    ...(identity === undefined ? {} : { principal: principalOf(identity, tokenId) }),
    client: { address: clientAddress(request), ...(userAgent === undefined ? {} : { userAgent }) },
    ...subject,
    ...changeOf(facts),
  } as const satisfies AuditEntry;
}

function changeOf({ before, change }: RecordFacts): Pick<AuditEntry, 'change'> {
  if (before === undefined && change === undefined) return {};
  return {
    change: {
      ...(before === undefined ? {} : { before }),
      ...(change === undefined ? {} : { after: change }),
    },
  };
}

function principalOf(identity: Identity, tokenId = identity.tokenId): NonNullable<AuditEntry['principal']> {
  const { kind, id, name } = identity.principal;
  return { kind, id, name, via: identity.via, ...(tokenId === undefined ? {} : { tokenId }) };
}
