import type { Request } from 'express';
import { type Authentication, authorizationOf, certificateOf, type Identity } from '../auth/index.ts';
import { sourceOf } from '../limits/index.ts';
import { clientAddress } from '../traffic/index.ts';
import { ApiProblem } from './operation.ts';
import type { ApiParts } from './parts.ts';

export type Identified =
  | { readonly ok: true; readonly identity: Identity }
  | { readonly ok: false; readonly problem: ApiProblem; readonly reason: string; readonly note?: string };

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
    if (!header.ok) return refused(400, header.reason, header.refusal.message);
    const { authorization } = header;
    if (authorization === undefined) return refused(401, 'sign-in.needed', 'sign in first: dockgate login');
    const source = sourceOf(clientAddress(request));
    const certificate = certificateOf(request.socket);
    const proved = /^bearer /i.test(authorization)
      ? await parts.authenticator.refresh({
          token: authorization.replace(/^bearer +/i, ''),
          service,
          source,
          certificate,
        })
      : await parts.authenticator.authenticate({ authorization, source, certificate });
    return proved.ok ? { ok: true, identity: proved.identity } : unproved(proved);
  };
}

function unproved({ refusal, reason, principalName }: Authentication & { ok: false }): Identified {
  const status = refusal.status === 429 ? 429 : 401;
  return {
    ...refused(status, reason, refusal.message, refusal.headers),
    ...(principalName === undefined ? {} : { note: `as ${principalName}` }),
  };
}

const CODES = { 400: 'DG_REQUEST_INVALID', 401: 'DG_UNAUTHORIZED', 429: 'DG_TOO_MANY_SIGN_INS' } as const;

function refused(
  status: keyof typeof CODES,
  reason: string,
  text: string,
  given: Readonly<Record<string, string>> = {},
): Identified & { ok: false } {
  // The prefix is for clients that print the message as their own; our own command says its name itself.
  const message = text.replace(/^dockgate: /, '');
  const headers = status === 401 ? { ...given, 'www-authenticate': 'Basic realm="dockgate"' } : given;
  return { ok: false, problem: new ApiProblem(status, CODES[status], message, headers), reason };
}
