import type { Identity, Unproved } from '../../auth/index.ts';
import { codePage, confirmCodePage, donePage } from './program-pages.ts';
import type { Answer, Handler, Visit } from './visit.ts';

const HERE = '/login/device';

/** The page to type a code on. */
export const showCodePage: Handler = async ({ identity, formToken }) => {
  if (!identity) return signInFirst(HERE);
  return { status: 200, page: codePage({ name: identity.principal.name, formToken }) };
};

/** First the code, then the decision: nobody confirms what it has not been shown. */
export const decideByCode: Handler = async (visit) => {
  const { identity, form, parts, formToken } = visit;
  if (!identity) return signInFirst(HERE);
  const code = form.get('code')?.trim().toUpperCase() ?? '';
  const found = await parts.programs.find(code, identity.principal.id);
  if ('ok' in found) return noSuchCode(visit, identity, found);
  const decision = form.get('decision');
  if (decision !== 'approve' && decision !== 'deny') {
    const { name } = identity.principal;
    const nowMs = parts.clock.nowMs();
    return { status: 200, page: confirmCodePage({ name, code, waiting: found, formToken, nowMs }) };
  }
  return decided(visit, identity, { code, isApproved: decision === 'approve', source: found.source });
};

function decided(
  { parts }: Visit,
  identity: Identity,
  {
    code,
    isApproved,
    source,
  }: { readonly code: string; readonly isApproved: boolean; readonly source: string },
): Answer {
  const page = isApproved
    ? donePage('Done', 'The command is signed in. You may close this page.')
    : donePage(
        'Refused',
        'The command is not signed in. Whoever sent you the code wanted your rights: tell an admin.',
      );
  return {
    status: 200,
    page,
    facts: {
      action: 'sign-in.device',
      outcome: isApproved ? 'allowed' : 'refused',
      note: `asked from ${source}`,
      identity,
      ...(isApproved ? {} : { reason: 'program.denied' }),
    },
    async act() {
      await parts.programs.decide(code, { accountId: identity.principal.id, isApproved });
      return [];
    },
  };
}

function noSuchCode({ formToken }: Visit, identity: Identity, { refusal, reason }: Unproved): Answer {
  const problem = refusal.message.replace(/^dockgate: /, '');
  return {
    status: refusal.status,
    page: codePage({ name: identity.principal.name, formToken, problem }),
    facts: { action: 'sign-in.device', outcome: 'refused', reason, identity },
  };
}

export function signInFirst(next: string): Answer {
  return { status: 303, goTo: `/login?${new URLSearchParams({ next })}` };
}
