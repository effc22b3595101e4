import type { Clock } from '../base/index.ts';
import { refuse } from '../oci/index.ts';
import { type Authentication, unproved } from './authentication.ts';
import type { Directory } from './directory.ts';
import type { Identity } from './identity.ts';
import type { Account, AccountReads } from './ports.ts';
import type { ShownCertificate } from './shown-certificate.ts';

/** Which certificate is which account: its whole subject, or one of its names, letter by letter. */
export interface CertificateRule {
  /** `CN=ci,O=corp`. */
  readonly subject?: string;
  /** `DNS:ci.corp`, `URI:spiffe://corp/ci`, `email:ci@corp`. */
  readonly name?: string;
  readonly account: Pick<Account, 'kind' | 'name'>;
}

export interface ClientCertificatesOptions {
  /** `alone`: it signs in by itself. `second-factor`: whatever signs in must come with the account's certificate. */
  readonly use: 'alone' | 'second-factor';
  readonly rules: readonly CertificateRule[];
}

export interface ClientCertificates {
  /** @param prove how the request proves itself otherwise; it is called when the certificate does not refuse. */
  withCertificate(
    shown: ShownCertificate | undefined,
    prove: () => Promise<Authentication>,
  ): Promise<Authentication>;
}

const SENTENCES: Readonly<Record<string, string>> = {
  expired: 'is not valid at this time: renew it',
  revoked: 'was revoked: ask for another',
  'revocation-list': 'cannot be checked, since the revocation list is missing or out of date: tell an admin',
  authority: 'is of an authority that is not trusted here',
  purpose: 'was not issued to sign in with (extended key usage clientAuth)',
  stale: 'must be shown again, since the revocation list has changed: connect anew',
  unmapped: 'belongs to no account: ask an admin to map it',
  inactive: 'belongs to an account that is not active',
  missing: 'is needed beside the password or token: configure client.cert and client.key',
  other: 'belongs to another account than the password or token',
};

/** A certificate that is shown and not believed refuses the request, whatever else it shows. */
export function createClientCertificates(
  { use, rules }: ClientCertificatesOptions,
  parts: {
    readonly accounts: Pick<AccountReads, 'findAccountByName'>;
    readonly directory: Pick<Directory, 'isLive'>;
    readonly clock: Clock;
  },
): ClientCertificates {
  async function ownerOf(shown: ShownCertificate): Promise<Identity | string> {
    if (shown.problem !== undefined) return shown.problem;
    const rule = rules.find((one) => isOf(one, shown));
    const account = rule && (await parts.accounts.findAccountByName(rule.account.kind, rule.account.name));
    if (!account) return 'unmapped';
    const provedAtMs = parts.clock.nowMs();
    if (!(await parts.directory.isLive(account))) return 'inactive';
    const { kind, id, name } = account;
    return {
      ...{ principal: { kind, id, name }, via: 'certificate', provedAtMs, scopes: undefined },
      tokenId: shown.serial,
    };
  }

  return {
    async withCertificate(shown, prove) {
      const owner = shown && (await ownerOf(shown));
      if (typeof owner === 'string') return refused(owner, shown?.serial);
      const proved = await prove();
      if (!proved.ok) return proved;
      if (proved.identity.via === 'anonymous') {
        return use === 'alone' && owner ? { ok: true, identity: owner } : proved;
      }
      if (use === 'alone' || proved.identity.principal.kind === 'anonymous') return proved;
      if (!owner) return refused('missing');
      return owner.principal.id === proved.identity.principal.id ? proved : refused('other', shown?.serial);
    },
  };
}

function isOf({ subject, name }: CertificateRule, shown: ShownCertificate): boolean {
  if (subject === undefined && name === undefined) return false;
  return (
    (subject === undefined || subject === shown.subject) && (name === undefined || shown.names.includes(name))
  );
}

function refused(problem: string, serial?: string): Authentication {
  const sentence = SENTENCES[problem] ?? 'is not accepted';
  const message = `dockgate: the client certificate ${sentence}`;
  const headers = { connection: 'close' };
  const which = serial === undefined ? undefined : `certificate ${serial}`;
  return unproved(refuse('UNAUTHORIZED', message, { headers }), `certificate.${problem}`, which);
}
