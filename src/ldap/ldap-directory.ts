import { AndFilter, Client, type Entry, EqualityFilter, FilterParser, InvalidCredentialsError } from 'ldapts';
import type { ExternalDirectory, ExternalPerson } from '../auth/index.ts';
import type { Logger } from '../base/index.ts';

export interface LdapOptions {
  /** `ldaps://host[:port]`, or `ldap://host[:port]`, which is raised to TLS before anything is said. */
  readonly url: string;
  /** PEM; the system's authorities unless given. */
  readonly ca?: string | undefined;
  /** Who searches. */
  readonly bindDn: string;
  readonly bindPassword: string;
  readonly userBase: string;
  /** Holds the name that is typed. */
  readonly userAttribute: string;
  /** Which entries may sign in; this is where a directory says who is disabled. */
  readonly userFilter: string;
  /** Never changes and is never given again: a renamed person stays the same, a name that returns is another. */
  readonly subjectAttribute: string;
  /** Absent: groups are not asked for. */
  readonly groupBase?: string | undefined;
  readonly groupAttribute: string;
  /** Holds the members' DNs. */
  readonly memberAttribute: string;
  /** Milliseconds for each step. */
  readonly timeoutMs: number;
}

const GROUPS_MAX = 1000;

/**
 * Signs people in by a bind as themselves. Referrals are not followed: they would carry the password to whatever host
 * an entry names.
 *
 * @throws from `prove`: the directory does not answer, or not as configured; nobody is let in then.
 */
export function createLdapDirectory(options: LdapOptions, { logger }: { logger: Logger }): ExternalDirectory {
  const tls = { minVersion: 'TLSv1.2' as const, ...(options.ca === undefined ? {} : { ca: options.ca }) };
  const isTls = options.url.startsWith('ldaps:');
  const userFilter = FilterParser.parseString(options.userFilter);

  /** A connection of its own for each step, so that nobody's bind is used for somebody else's question. */
  async function connected<T>(work: (client: Client) => Promise<T>): Promise<T> {
    const client = new Client({
      url: options.url,
      timeout: options.timeoutMs,
      connectTimeout: options.timeoutMs,
      ...(isTls ? { tlsOptions: tls } : {}),
    });
    try {
      if (!isTls) await client.startTLS(tls);
      return await work(client);
    } finally {
      // Whatever came of the work counts; that the goodbye was not heard does not.
      await client.unbind().catch(() => {});
    }
  }

  /** Values go into filters as values: nothing that is typed can change what is asked (C-07). */
  async function findUser(client: Client, name: string): Promise<Entry | undefined> {
    const { searchEntries } = await client.search(options.userBase, {
      scope: 'sub',
      filter: new AndFilter({
        filters: [userFilter, new EqualityFilter({ attribute: options.userAttribute, value: name })],
      }),
      attributes: [options.userAttribute, options.subjectAttribute],
      sizeLimit: 2,
    });
    if (searchEntries.length > 1) {
      logger.warn('an LDAP name is that of several entries, so of nobody', { note: name });
      return undefined;
    }
    return searchEntries[0];
  }

  async function groupsOf(client: Client, dn: string): Promise<readonly string[]> {
    if (options.groupBase === undefined) return [];
    const { searchEntries } = await client.search(options.groupBase, {
      scope: 'sub',
      filter: new EqualityFilter({ attribute: options.memberAttribute, value: dn }),
      attributes: [options.groupAttribute],
      sizeLimit: GROUPS_MAX,
    });
    return searchEntries.flatMap((entry) => textsOf(entry, options.groupAttribute));
  }

  async function isPasswordOf(dn: string, password: string): Promise<boolean> {
    try {
      await connected((client) => client.bind(dn, password));
      return true;
    } catch (error) {
      if (error instanceof InvalidCredentialsError) return false;
      throw error;
    }
  }

  return {
    name: 'ldap',
    async prove(name, password): Promise<ExternalPerson | undefined> {
      // A bind with a name and no password succeeds as nobody (RFC 4513, 5.1.2): it proves nothing.
      if (password === '') return undefined;
      return connected(async (client) => {
        await client.bind(options.bindDn, options.bindPassword);
        const user = await findUser(client, name);
        if (!user || !(await isPasswordOf(user.dn, password))) return undefined;
        const [subject] = textsOf(user, options.subjectAttribute);
        if (subject === undefined) throw new Error(`${user.dn} has no ${options.subjectAttribute}`);
        return { subject, groups: await groupsOf(client, user.dn) };
      });
    },
  };
}

/** An attribute's values; what is no text (Active Directory's objectGUID) in hexadecimal. */
function textsOf(entry: Entry, attribute: string): readonly string[] {
  const value = entry[attribute] ?? [];
  const values: readonly (string | Buffer)[] = Array.isArray(value) ? value : [value];
  return values.map((one) => (typeof one === 'string' ? one : one.toString('hex')));
}
