import type { Identity } from '../../auth/index.ts';
import { signInFirst } from './by-code.ts';
import { problemPage } from './pages.ts';
import { confirmProgramPage, donePage } from './program-pages.ts';
import { queryOf } from './sign-in.ts';
import type { Answer, Handler, Visit } from './visit.ts';

/** What a command on the person's own computer asks the browser for. */
interface LoopbackRequest {
  readonly redirectUri: string;
  readonly port: string;
  readonly state: string;
  /** PKCE, S256. */
  readonly challenge: string;
}

/** The person's own computer alone, by address: a name could be made to mean another. @see RFC 8252 chapter 8.3 */
const REDIRECT = /^http:\/\/127\.0\.0\.1:(\d{1,5})\/signed-in$/;

/** @returns `undefined` for anything that our own command would not ask. */
function parseLoopback(query: URLSearchParams): LoopbackRequest | undefined {
  const redirectUri = query.get('redirect_uri') ?? '';
  const [, port] = REDIRECT.exec(redirectUri) ?? [];
  const [state, challenge] = [query.get('state') ?? '', query.get('code_challenge') ?? ''];
  if (port === undefined || !/^[\w-]{22,128}$/.test(state)) return undefined;
  // Without S256 whoever sees the code could use it.
  if (query.get('code_challenge_method') !== 'S256' || !/^[\w-]{43}$/.test(challenge)) return undefined;
  return { redirectUri, port, state, challenge };
}

/** Asks the person; a page of somebody else that leads here signs nothing in by itself. */
export const showProgramPage: Handler = async ({ identity, formToken, request }) => {
  const query = queryOf(request.originalUrl);
  const asked = parseLoopback(query);
  if (!asked) return malformed();
  if (!identity) return signInFirst(`/login/program?${query}`);
  const { name } = identity.principal;
  const page = confirmProgramPage({ name, formToken, query: query.toString(), port: asked.port });
  return { status: 200, page };
};

export const decideProgram: Handler = async (visit) => {
  const { identity, form } = visit;
  const query = new URLSearchParams(form.get('query') ?? '');
  const asked = parseLoopback(query);
  if (!asked) return malformed();
  if (!identity) return signInFirst(`/login/program?${query}`);
  return form.get('decision') === 'approve' ? approve(visit, identity, asked) : deny(identity);
};

async function approve(
  { parts, source, options }: Visit,
  identity: Identity,
  { redirectUri, state, challenge }: LoopbackRequest,
): Promise<Answer> {
  // Before the record: without it the answer does not leave, and nobody knows the code.
  const code = await parts.programs.approve({ challenge, accountId: identity.principal.id, source });
  if (code === undefined) {
    const problem = 'too many commands wait to be signed in: try again in a minute';
    const facts = {
      action: 'sign-in.program',
      outcome: 'refused',
      reason: 'program.many',
      identity,
    } as const;
    return { status: 429, page: problemPage('Try again', problem), facts };
  }
  return {
    status: 303,
    goTo: `${redirectUri}?${new URLSearchParams({ code, state, iss: options.publicUrl })}`,
    facts: { action: 'sign-in.program', outcome: 'allowed', identity },
  };
}

function deny(identity: Identity): Answer {
  return {
    status: 200,
    page: donePage('Refused', 'The command is not signed in; end it with Ctrl-C.'),
    facts: { action: 'sign-in.program', outcome: 'refused', reason: 'program.denied', identity },
  };
}

function malformed(): Answer {
  return {
    status: 400,
    page: problemPage('That did not work', 'this is no request of `dockgate login`: run it again'),
    facts: { action: 'sign-in.program', outcome: 'refused', reason: 'program.request' },
  };
}
