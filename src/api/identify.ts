import type { Request } from 'express';
import { authorizationOf, type Identity } from '../auth/index.ts';
import { sourceOf } from '../limits/index.ts';
import { ApiProblem } from './operation.ts';
import type { ApiParts } from './parts.ts';

export type Identified =
  | { readonly ok: true; readonly identity: Identity }
  | {
      readonly ok: false;
      readonly problem: ApiProblem;
      readonly reason: string;
      readonly retryAfter?: string;
    };

export type Identify = (request: Request) => Promise<Identified>;

/**
 * Proves who calls the API: user and password, robot and secret, or the refresh token of a sign-in. Access tokens are
 * for /v2 alone: one that leaks from a build must not administer anything.
 */
export function createIdentify(
  parts: Pick<ApiParts, 'authenticator'>,
  service: string,
  fixed: Identity | undefined,
): Identify {
  return async (request) => {
    if (fixed) return { ok: true, identity: fixed };
    const header = authorizationOf(request.rawHeaders);
    if (!header.ok) return refused(401, header.reason, header.refusal.message);
    const { authorization } = header;
    if (authorization === undefined) return refused(401, 'sign-in.needed', 'sign in first: dockgate login');
    const source = sourceOf(peerAddress(request));
    const proved = /^basic /i.test(authorization)
      ? await parts.authenticator.authenticate({ authorization, source })
      : await parts.authenticator.refresh({ token: authorization.replace(/^bearer +/i, ''), service });
    if (proved.ok) return { ok: true, identity: proved.identity };
    const status = proved.refusal.status === 429 ? 429 : 401;
    const retryAfter = proved.refusal.headers?.['Retry-After'];
    return {
      ...refused(status, proved.reason, proved.refusal.message),
      ...(retryAfter ? { retryAfter } : {}),
    };
  };
}

function refused(status: 401 | 429, reason: string, message: string): Identified & { ok: false } {
  const code = status === 429 ? 'DG_TOO_MANY_SIGN_INS' : 'DG_UNAUTHORIZED';
  return { ok: false, problem: new ApiProblem(status, code, message), reason };
}

/** The peer's address; IPv4 in its own notation. Empty on a Unix socket. */
export function peerAddress(request: Pick<Request, 'socket'>): string {
  return (request.socket.remoteAddress ?? '').replace(/^::ffff:/, '');
}
