import type { ExternalPerson } from './external-ports.ts';

/** What an OpenID provider said of somebody whom it has just signed in. */
export interface ProviderPerson extends ExternalPerson {
  /** The name that a new account gets; a valid one. */
  readonly name: string;
}

/** What must come back with the browser for a sign-in to be the one that it began. Secrets, each used once. */
export interface ProviderFlow {
  readonly state: string;
  readonly nonce: string;
  /** PKCE, RFC 7636. */
  readonly verifier: string;
}

/** Port, implemented by `oidc/`: a provider on whose own pages people prove who they are. */
export interface SignInProvider {
  /** Names it in addresses of ours. */
  readonly id: string;
  /** On its button. */
  readonly label: string;
  /** Whose subjects are meant: the provider of accounts is named by it. */
  readonly issuer: string;
  /** So long after a sign-in the account counts without another one. */
  readonly lifetimeMs: number;
  /**
   * @returns the address to send the browser to, and what must come back with it.
   * @throws {ProviderProblem} it does not answer.
   */
  begin(redirectUri: string): Promise<{ readonly url: string; readonly flow: ProviderFlow }>;
  /**
   * @param callback our redirect address with the query that the browser brought.
   * @throws {ProviderProblem} it was not this sign-in, what came is not the provider's, or it does not answer.
   */
  finish(callback: URL, flow: ProviderFlow): Promise<ProviderPerson>;
  /** Where a person signs out there and is sent back from; `undefined` where it offers none or does not answer. */
  signOutUrl(returnTo: string): Promise<string | undefined>;
}

/** Why a provider's word signs nobody in. */
export class ProviderProblem extends Error {
  override readonly name = 'ProviderProblem';
  /** `away`: later it may; `refused`: it let nobody in; `answer`: what came is not to be believed; `person`: may not. */
  readonly kind: 'away' | 'refused' | 'answer' | 'person';

  constructor(kind: ProviderProblem['kind'], message: string, cause?: unknown) {
    super(message, { cause });
    this.kind = kind;
  }
}

/** As which an account's provider is kept; of two issuers under one `id`, each has its own people. */
export function providerName({ issuer }: Pick<SignInProvider, 'issuer'>): string {
  return `oidc:${issuer}`;
}
