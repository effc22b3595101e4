import { Fault } from '../oci/index.ts';
import { AddressRefused } from './addresses.ts';

/**
 * The registry behind us did not give a usable answer. `DG_UPSTREAM_UNAVAILABLE` (503, or 429 where it asked
 * for patience): it did not answer, or not now. `DG_UPSTREAM_CROWDED` (503): it was not asked. `DG_UPSTREAM_PROTOCOL` (502): it answered what it must not.
 * `DG_UPSTREAM_SIGN_IN` (502): it does not accept our own credential.
 */
export class UpstreamUnavailable extends Fault {
  override readonly name = 'UpstreamUnavailable';
}

/** Seconds after which a client may try again when the upstream named none. */
const RETRY_SECONDS = 5;
const RETRY_SECONDS_MAX = 3600;

export function upstreamAway(problem: string, cause?: unknown): UpstreamUnavailable {
  return new UpstreamUnavailable(
    'DG_UPSTREAM_UNAVAILABLE',
    'UNAVAILABLE',
    `the registry behind this gateway ${problem}, try again`,
    cause,
    { headers: { 'Retry-After': String(RETRY_SECONDS) } },
  );
}

/** As many wait for a connection as may: no sign that the upstream is away. */
export function upstreamCrowded(): UpstreamUnavailable {
  return new UpstreamUnavailable(
    'DG_UPSTREAM_CROWDED',
    'UNAVAILABLE',
    'the registry behind this gateway is asked too much at once, try again',
    undefined,
    { headers: { 'Retry-After': String(RETRY_SECONDS) } },
  );
}

export function upstreamBroken(problem: string, cause?: unknown): UpstreamUnavailable {
  return new UpstreamUnavailable(
    'DG_UPSTREAM_PROTOCOL',
    'UNAVAILABLE',
    `the registry behind this gateway answered what it must not: ${problem}`,
    cause,
    { status: 502 },
  );
}

export function upstreamSignInFailed(problem: string, cause?: unknown): UpstreamUnavailable {
  return new UpstreamUnavailable(
    'DG_UPSTREAM_SIGN_IN',
    'UNAVAILABLE',
    `the registry behind this gateway does not let the gateway sign in: ${problem}`,
    cause,
    { status: 502 },
  );
}

/**
 * The upstream asks for patience: 429 stays 429, since clients then wait and ask again; all else is 503.
 *
 * @param retryAfter its Retry-After; only whole seconds are passed on.
 */
export function upstreamBusy(status: number, retryAfter: string | undefined): UpstreamUnavailable {
  const seconds = /^\d{1,9}$/.test(retryAfter ?? '') ? Number(retryAfter) : RETRY_SECONDS;
  return new UpstreamUnavailable(
    'DG_UPSTREAM_UNAVAILABLE',
    status === 429 ? 'TOOMANYREQUESTS' : 'UNAVAILABLE',
    'the registry behind this gateway is busy, try again later',
    undefined,
    { headers: { 'Retry-After': String(Math.min(seconds, RETRY_SECONDS_MAX)) } },
  );
}

/**
 * A connection that ended under a request: what a kept connection does when the other side closed it
 * meanwhile.
 */
export function isBrokenConnection(error: unknown): boolean {
  return ['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'].includes(codeOf(error));
}

/** Gives what a connection threw its name: no answer (503), or an answer that is none (502). */
export function faultOf(error: unknown): UpstreamUnavailable {
  if (error instanceof UpstreamUnavailable) return error;
  if (error instanceof AddressRefused) return upstreamBroken(error.message, error);
  const code = codeOf(error);
  if (/^(?:CERT_|ERR_TLS_|ERR_SSL_|UNABLE_TO_|EPROTO)|SELF_SIGNED/.test(code)) {
    return upstreamBroken('its certificate or TLS is not acceptable', error);
  }
  if (/^(?:HPE_|UND_ERR_HEADERS_OVERFLOW|UND_ERR_RES|UND_ERR_INFO|UND_ERR_NOT_SUPPORTED)/.test(code)) {
    return upstreamBroken('malformed HTTP', error);
  }
  return upstreamAway('does not answer', error);
}

/** undici's parse errors carry no code, only their name. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  if (error.name === 'HTTPParserError') return 'HPE_';
  if (error.message === 'bad upgrade') return 'HPE_UNEXPECTED_UPGRADE';
  return 'code' in error && typeof error.code === 'string' ? error.code : '';
}
