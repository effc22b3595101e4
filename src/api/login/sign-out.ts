import { externalHash, providerName } from '../../auth/index.ts';
import { dropCookie } from './cookies.ts';
import { signedOutPage } from './pages.ts';
import type { Handler, Visit } from './visit.ts';

/** Ends the browser's session here, and offers to end that of the provider. */
export const signOut: Handler = async (visit) => {
  const { identity, parts } = visit;
  const drop = [dropCookie('__Host-dockgate-session'), dropCookie('__Host-dockgate-flow')];
  if (!identity) return { status: 200, page: signedOutPage(undefined), act: async () => drop };
  return {
    status: 200,
    page: signedOutPage(await providerOf(visit, identity.principal.id)),
    facts: { action: 'sign-out', outcome: 'allowed', identity },
    async act() {
      if (identity.tokenId !== undefined) await parts.accounts.removeRefreshToken(identity.tokenId);
      return drop;
    },
  };
};

async function providerOf({ parts, options }: Visit, accountId: string) {
  const account = await parts.accounts.findAccountById(accountId);
  const provider = parts.providers.find((one) => account?.secretHash === externalHash(providerName(one)));
  const url = await provider?.signOutUrl(`${options.publicUrl}/login`);
  return provider && url !== undefined ? { label: provider.label, url } : undefined;
}
