import type { IncomingMessage } from 'node:http';
import type { Identity } from '../auth/index.ts';
import type { Route } from './route.ts';

/** One parsed and authenticated request. */
export interface Call<R extends Route = Route> {
  /** Returned to the caller as X-Request-Id, and the decision id in refusals. */
  readonly id: string;
  readonly request: IncomingMessage;
  readonly method: string;
  readonly route: R;
  readonly identity: Identity;
  /** The client's; a header changes it only where a trusted proxy sent it. */
  readonly address: string;
  readonly userAgent: string | undefined;
  /** `https://host[:port]` for Location and the challenge. */
  readonly baseUrl: string;
  readonly startedAtMs: number;
  /** Ends when the client hangs up. */
  readonly signal: AbortSignal;
  /** Tells a client that waits for it to send the body (`Expect: 100-continue`); nothing before the decision does. */
  readonly welcomeBody: () => void;
}

/** The kinds of route, each with its own call type. */
export type CallOf<K extends Route['kind']> = Call<Extract<Route, { kind: K }>>;

/** A header that may be given once only; Node joins or drops repetitions according to the header. */
export function header(call: Pick<Call, 'request'>, name: string): string | undefined {
  const value = call.request.headers[name];
  return typeof value === 'string' ? value : undefined;
}
