import { type ProviderPerson, ProviderProblem, parseAccountName } from '../auth/index.ts';

/** Which claims say what. */
export interface ClaimOptions {
  /** Holds the name of the account. */
  readonly nameClaim: string;
  /** Holds a list of names of groups. */
  readonly groupsClaim: string;
  /** Domains of e-mail addresses that may sign in; empty: everybody whom the provider lets in. */
  readonly emailDomains: readonly string[];
}

export type Claims = Readonly<Record<string, unknown>>;

const GROUPS_MAX = 1000;
/** Records and grants name these two, so an account of the name could be taken for them. */
const RESERVED: readonly string[] = ['anonymous', 'local'];

/**
 * The person that a provider's claims describe. Of names only the account's own form is taken; of an address as name
 * the part before `@` counts where its domain is one of `emailDomains`.
 *
 * @param subject of the ID token.
 * @throws {ProviderProblem} `person`: the address is of no such domain or not verified, or no name can be made of it.
 */
export function personOf(subject: string, claims: Claims, options: ClaimOptions): ProviderPerson {
  requireDomain(claims, options.emailDomains);
  const name = nameOf(claims[options.nameClaim], options.emailDomains);
  if (name === undefined) {
    throw new ProviderProblem(
      'person',
      `the claim ${options.nameClaim} holds no name for an account: letters, digits, single ".", "_" or "-"`,
    );
  }
  return { subject, name, groups: groupsOf(claims[options.groupsClaim]) };
}

function requireDomain({ email, email_verified: isVerified }: Claims, domains: readonly string[]): void {
  if (domains.length === 0) return;
  const isOfDomain = typeof email === 'string' && domains.includes(domainOf(email));
  // Whoever may type in any address there could otherwise come in as somebody of the domain.
  if (isOfDomain && isVerified === true) return;
  const message = `an e-mail address that is verified and ends in ${domains.map((one) => `@${one}`).join(' or ')} is needed`;
  throw new ProviderProblem('person', message);
}

function domainOf(address: string): string {
  return address.slice(address.lastIndexOf('@') + 1).toLowerCase();
}

function nameOf(claim: unknown, domains: readonly string[]): string | undefined {
  if (typeof claim !== 'string') return undefined;
  const isAddress = claim.includes('@') && domains.includes(domainOf(claim));
  const text = isAddress ? claim.slice(0, claim.lastIndexOf('@')) : claim;
  const name = parseAccountName(text.toLowerCase());
  return name !== undefined && !RESERVED.includes(name) ? name : undefined;
}

/** A claim that is missing, or is no list of texts, gives no group: what is not said is not kept (T-23). */
function groupsOf(claim: unknown): readonly string[] {
  if (!Array.isArray(claim)) return [];
  return claim.filter((group) => typeof group === 'string').slice(0, GROUPS_MAX);
}
