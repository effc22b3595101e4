import type { Change } from '../base/index.ts';
import { Fault, type OciCode, statusOf } from '../oci/index.ts';

/** What a worker says to the housekeeping process. */
export type ToServer =
  | { readonly type: 'call'; readonly id: number; readonly method: string; readonly args: readonly unknown[] }
  /** The changes of this number took effect here: everything they speak of has been dropped. */
  | { readonly type: 'ack'; readonly seq: number };

/** What the housekeeping process says to a worker. */
export type ToClient =
  /** First on every connection: changes are numbered from `seq` + 1 on. */
  | { readonly type: 'welcome'; readonly seq: number; readonly isBroken?: boolean }
  /** `isBroken`: nobody tells the housekeeping process what other replicas change. */
  | { readonly type: 'beat'; readonly seq: number; readonly isBroken?: boolean }
  /** `isLost`: anything else may have changed as well. */
  | {
      readonly type: 'change';
      readonly seq: number;
      readonly changes: readonly Change[];
      readonly isLost?: boolean;
    }
  | { readonly type: 'answer'; readonly id: number; readonly value?: unknown }
  | { readonly type: 'failure'; readonly id: number; readonly fault: WireFault };

/** A Fault as it crosses the wire; its cause stays where it happened. */
export interface WireFault {
  readonly code: string;
  readonly ociCode: OciCode;
  readonly message: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
}

export function toWireFault(fault: Fault): WireFault {
  const { code, ociCode, message, status, headers } = fault;
  return { code, ociCode, message, status, headers };
}

export function fromWireFault({ code, ociCode, message, status, headers }: WireFault): Fault {
  const isKnown = isFaultCode(code) && statusOf(ociCode) !== undefined;
  if (!isKnown) return failed('the housekeeping process failed in a way this version does not know');
  return new Fault(code, ociCode, message, undefined, { status, headers });
}

function isFaultCode(code: string): code is `DG_${string}` {
  return code.startsWith('DG_');
}

/** A bug on the other side: what it says may hold anything, so only the log over there gets it. */
export function failed(message: string): Fault {
  return new Fault('DG_HOUSEKEEPING_FAILED', 'UNKNOWN', message);
}

export function unavailable(what: string, cause?: unknown): Fault {
  return new Fault(
    'DG_HOUSEKEEPING_UNAVAILABLE',
    'UNAVAILABLE',
    `the housekeeping process ${what}, try again`,
    cause,
  );
}

/**
 * Whether what came over the socket has the shape of a message. Both sides are of one version and trust each other;
 * the check turns a bug into a closed connection instead of a wrong answer.
 */
export function isToServer(value: unknown): value is ToServer {
  const message = membersOf(value);
  if (message.type === 'ack') return isCount(message.seq);
  return (
    message.type === 'call' &&
    isCount(message.id) &&
    typeof message.method === 'string' &&
    Array.isArray(message.args)
  );
}

export function isToClient(value: unknown): value is ToClient {
  const message = membersOf(value);
  switch (message.type) {
    case 'welcome':
    case 'beat':
      return isCount(message.seq);
    case 'change':
      return isCount(message.seq) && Array.isArray(message.changes);
    case 'answer':
      return isCount(message.id);
    case 'failure':
      return isCount(message.id) && typeof membersOf(message.fault).code === 'string';
    default:
      return false;
  }
}

function membersOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value);
}
