import { certificateOf, ProviderProblem, type SignInProvider } from '../../auth/index.ts';
import { MINUTE_MS } from '../../base/index.ts';
import { dropCookie, printCookie } from './cookies.ts';
import { openFlow, sealFlow } from './flow.ts';
import { parseNext } from './next.ts';
import { problemPage } from './pages.ts';
import { queryOf, signedIn } from './sign-in.ts';
import type { Answer, Handler, Visit } from './visit.ts';

/** A person has so long on the provider's pages. */
const FLOW_MS_MAX = 10 * MINUTE_MS;

/** Sends the browser to a provider. */
export const goToProvider: Handler = async (visit) => {
  const { parts, request } = visit;
  const provider = providerOf(visit);
  if (!provider) return unknownProvider();
  const elsewhere = publicAddress(visit, provider);
  if (elsewhere !== undefined) return { status: 303, goTo: elsewhere };
  try {
    const { url, flow } = await provider.begin(redirectUri(visit, provider));
    const next = parseNext(queryOf(request.originalUrl).get('next') ?? undefined);
    const untilMs = parts.clock.nowMs() + FLOW_MS_MAX;
    const cookie = sealFlow(parts.seal, { ...flow, provider: provider.id, next, untilMs });
    return {
      status: 303,
      goTo: url,
      act: async () => [printCookie('__Host-dockgate-flow', cookie, FLOW_MS_MAX / 1000)],
    };
  } catch (error) {
    return failed(visit, provider, error);
  }
};

/** The browser comes back from a provider. Whatever it brings counts once, and only where it began here. */
export const comeFromProvider: Handler = async (visit) => {
  const { parts, request } = visit;
  const provider = providerOf(visit);
  if (!provider) return unknownProvider();
  const about = { provider: provider.id, nowMs: parts.clock.nowMs() };
  const flow = openFlow(parts.seal, visit.cookie('__Host-dockgate-flow'), about);
  if (!flow) {
    const problem = 'this sign-in did not begin in this browser, or more than ten minutes ago: begin again';
    return refused(400, problem, 'sign-in.flow');
  }
  try {
    const callback = new URL(redirectUri(visit, provider));
    callback.search = queryOf(request.originalUrl).toString();
    const person = await provider.finish(callback, flow);
    const certificate = certificateOf(request.socket);
    const proved = await parts.authenticator.signInProved({ provider, person, certificate });
    if (proved.ok) return signedIn(visit, flow.next, proved.identity);
    const { refusal, reason, principalName } = proved;
    return refused(refusal.status, NO_ACCOUNT[reason] ?? refusal.message, reason, principalName);
  } catch (error) {
    return failed(visit, provider, error);
  }
};

const NO_ACCOUNT: Readonly<Record<string, string>> = {
  'sign-in.name-taken': 'somebody else has your name here: ask an admin',
  'sign-in.inactive': 'your account here is disabled: ask an admin',
};

/** From the configured address alone, whatever host the request names (C-14). */
function redirectUri({ options }: Visit, { id }: SignInProvider): string {
  return `${options.publicUrl}/login/oidc/${id}/callback`;
}

/**
 * The provider sends the browser to our configured address, so what it must bring back is kept for that: where it came
 * by another name, it goes there first. Once: a proxy may name another host for ever.
 */
function publicAddress({ options, request }: Visit, { id }: SignInProvider): string | undefined {
  const here = new URL(`${options.publicUrl}/login/oidc/${id}`);
  const query = queryOf(request.originalUrl);
  const isHere = request.headers.host === here.host || query.has('here');
  if (isHere) return undefined;
  query.set('here', '');
  here.search = query.toString();
  return here.href;
}

function providerOf({ parts, request }: Visit): SignInProvider | undefined {
  return parts.providers.find(({ id }) => id === request.params.provider);
}

function unknownProvider(): Answer {
  return refused(404, 'there is no such provider', 'sign-in.provider');
}

const STATUSES = { away: 503, refused: 403, answer: 403, person: 403 } as const;

function failed({ parts }: Visit, { id, label }: SignInProvider, error: unknown): Answer {
  if (!(error instanceof ProviderProblem)) throw error;
  parts.logger.warn('a sign-in by a provider failed', {
    note: id,
    cause: String(error.cause ?? error.message),
  });
  const problem =
    error.kind === 'away'
      ? `${label} does not answer: try again in a moment, or sign in with a local password`
      : `${label} did not sign you in: ${error.message}`;
  return refused(STATUSES[error.kind], problem, `sign-in.provider.${error.kind}`);
}

function refused(status: number, problem: string, reason: string, name?: string): Answer {
  return {
    status,
    page: problemPage('Not signed in', problem.replace(/^dockgate: /, '')),
    facts: {
      action: 'sign-in',
      outcome: 'refused',
      reason,
      ...(name === undefined ? {} : { note: `as ${name}` }),
    },
    act: async () => [dropCookie('__Host-dockgate-flow')],
  };
}
