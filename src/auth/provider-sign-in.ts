import { type Clock, type Logger, newId, type Random } from '../base/index.ts';
import { type Authentication, notAccepted } from './authentication.ts';
import type { Directory } from './directory.ts';
import type { AccountWrites } from './ports.ts';
import { type ProviderPerson, providerName, type SignInProvider } from './provider-ports.ts';

export interface ProviderSignInParts {
  readonly accounts: Pick<AccountWrites, 'signInExternal'>;
  readonly directory: Pick<Directory, 'isLive'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface ProvedByProvider {
  readonly provider: Pick<SignInProvider, 'issuer' | 'lifetimeMs'>;
  readonly person: ProviderPerson;
}

/** Lets somebody in whom a provider has just proved: the account is found or made, and its groups are as it says now. */
export function createProviderSignIn(
  parts: ProviderSignInParts,
): (proved: ProvedByProvider) => Promise<Authentication> {
  const { accounts, directory, clock, random, logger } = parts;
  return async ({ provider, person }) => {
    const provedAtMs = clock.nowMs();
    const user = await accounts
      .signInExternal({
        ...person,
        provider: providerName(provider),
        keepsName: true,
        newId: newId(random),
        nowMs: provedAtMs,
        expiresAtMs: provedAtMs + provider.lifetimeMs,
      })
      .catch((cause: unknown) => {
        logger.warn('a person of a provider has no account here', {
          note: person.name,
          cause: String(cause),
        });
        return undefined;
      });
    if (!user) return notAccepted('sign-in.name-taken', person.name);
    if (!(await directory.isLive(user))) return notAccepted('sign-in.inactive', user.name);
    const { kind, id, name } = user;
    return {
      ok: true,
      identity: { principal: { kind, id, name }, via: 'oidc', provedAtMs, scopes: undefined },
    };
  };
}
