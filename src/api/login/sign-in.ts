import { certificateOf, type Identity, type Unproved } from '../../auth/index.ts';
import { dropCookie, printCookie } from './cookies.ts';
import { HOME, parseNext } from './next.ts';
import { homePage, signInPage } from './pages.ts';
import { type Answer, browserService, type Handler, type Visit } from './visit.ts';

/** The same for whatever was wrong (C-02). */
const NOT_ACCEPTED = 'name, password or one-time code not accepted: check them';

/** The form, or for whoever is signed in what there is to do. */
export const showSignIn: Handler = async (visit) => {
  const { identity, formToken, options, request } = visit;
  const next = parseNext(queryOf(request.originalUrl).get('next') ?? undefined);
  if (!identity) return { status: 200, page: formPage(visit, next) };
  if (next !== HOME) return { status: 303, goTo: next };
  const { name } = identity.principal;
  return { status: 200, page: homePage({ name, publicUrl: options.publicUrl, formToken }) };
};

/** A person's own password, with the code that belongs to it; a robot's secret or a token is none (C-10). */
export const signInByPassword: Handler = async (visit) => {
  const { parts, form, request, source } = visit;
  const next = parseNext(form.get('next'));
  const code = form.get('code')?.trim() ?? '';
  const proved = await parts.authenticator.signIn({
    name: form.get('name')?.trim() ?? '',
    secret: form.get('password') ?? '',
    source,
    certificate: certificateOf(request.socket),
    ...(code === '' ? {} : { code }),
  });
  if (!proved.ok) return notSignedIn(visit, next, proved);
  if (proved.identity.via === 'basic' && proved.identity.principal.kind === 'user') {
    return signedIn(visit, next, proved.identity);
  }
  const problem = 'sign in with your own password; tokens and secrets of robots are for programs';
  return {
    status: 401,
    page: formPage(visit, next, problem),
    facts: { action: 'sign-in', outcome: 'refused', reason: 'sign-in.kind', identity: proved.identity },
  };
};

function notSignedIn(visit: Visit, next: string, { refusal, reason, principalName }: Unproved): Answer {
  const note = principalName === undefined ? {} : { note: `as ${principalName}` };
  return {
    status: refusal.status,
    page: formPage(
      visit,
      next,
      refusal.status === 401 ? NOT_ACCEPTED : refusal.message.replace(/^dockgate: /, ''),
    ),
    facts: { action: 'sign-in', outcome: 'refused', reason, ...note },
  };
}

/** Every sign-in begins a session of its own; the one before ends. */
export function signedIn(visit: Visit, next: string, identity: Identity): Answer {
  const { parts, options } = visit;
  const service = browserService(options);
  return {
    status: 303,
    goTo: next,
    facts: { action: 'sign-in', outcome: 'allowed', identity },
    async act() {
      const before = visit.identity?.tokenId;
      if (before !== undefined) await parts.accounts.removeRefreshToken(before);
      const { principal } = identity;
      const { token } = await parts.refreshTokens.issue({ principal, service, clientId: 'browser' });
      return [printCookie('__Host-dockgate-session', token), dropCookie('__Host-dockgate-flow')];
    },
  };
}

function formPage({ parts, formToken }: Visit, next: string, problem?: string) {
  return signInPage({ providers: parts.providers, next, formToken, problem });
}

export function queryOf(address: string): URLSearchParams {
  return new URLSearchParams(address.split('?')[1] ?? '');
}
