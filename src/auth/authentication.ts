import { type Refusal, refuse } from '../oci/index.ts';
import type { Identity } from './identity.ts';

/** Who asks, or why nobody was proved. */
export type Authentication = { readonly ok: true; readonly identity: Identity } | Unproved;

export interface Unproved {
  readonly ok: false;
  readonly refusal: Refusal;
  /** For the access log only: `sign-in.password`, `token.expired`, `limit.sign-in` ... */
  readonly reason: string;
  /** The account that was tried, when what was shown could be the name of one. */
  readonly principalName?: string;
}

/** Every cause looks the same to the caller: which names exist, and how far a forgery came, is nobody's business. */
export function notAccepted(reason: string, principalName?: string): Unproved {
  // The second factor is named to everybody, so that nobody learns from it whose password was right (C-02).
  const message =
    'dockgate: name, password or token not accepted: check them or sign in again; ' +
    'with a second factor on, show a personal access token in place of the password';
  return unproved(refuse('UNAUTHORIZED', message), reason, principalName);
}

export function tooManyAttempts(delayMs: number, principalName?: string): Unproved {
  const seconds = Math.max(1, Math.ceil(delayMs / 1000));
  const message = `dockgate: too many attempts to sign in, try again in ${seconds} s`;
  const refusal = refuse('TOOMANYREQUESTS', message, { headers: { 'Retry-After': String(seconds) } });
  return unproved(refusal, 'limit.sign-in', principalName);
}

export function unproved(refusal: Refusal, reason: string, principalName?: string): Unproved {
  return { ok: false, refusal, reason, ...(principalName === undefined ? {} : { principalName }) };
}
