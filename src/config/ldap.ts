import { resolve } from 'node:path';
import { readCertificates } from './files.ts';
import type { Settings } from './schema.ts';
import { exclusive, type Problem, type Secrets } from './secrets.ts';

/** A directory of people, after every check. */
export interface LdapConfig {
  readonly url: string;
  readonly bindDn: string;
  readonly bindPassword: string;
  readonly userBase: string;
  readonly userAttribute: string;
  readonly userFilter: string;
  readonly subjectAttribute: string;
  readonly groupBase: string | undefined;
  readonly groupAttribute: string;
  readonly memberAttribute: string;
  readonly timeoutMs: number;
  readonly lifetimeMs: number;
  /** PEM. */
  readonly ca: string | undefined;
}

/** What no single key shows. */
export function ldapProblems({ ldap }: Settings): readonly Problem[] {
  const problems = exclusive(ldap, ['ldap'], 'bindPassword');
  if (ldap.url === undefined) return problems;
  for (const key of ['bindDn', 'userBase'] as const) {
    if (ldap[key] === undefined) problems.push({ path: ['ldap', key], message: 'is needed beside url' });
  }
  if (ldap.bindPassword === undefined && ldap.bindPasswordFile === undefined) {
    problems.push({ path: ['ldap', 'bindPassword'], message: 'is needed beside url, or bindPasswordFile' });
  }
  return problems;
}

/** @throws {StartError} a file that it names cannot be used. */
export async function toLdap(
  { ldap }: Settings,
  secrets: Secrets,
  directory: string,
): Promise<LdapConfig | undefined> {
  const { url, bindDn, userBase, caFile } = ldap;
  const bindPassword = await secrets.read(ldap, ['ldap'], 'bindPassword');
  if (url === undefined || bindDn === undefined || userBase === undefined || bindPassword === undefined) {
    return undefined;
  }
  const ca =
    caFile === undefined
      ? undefined
      : await readCertificates(resolve(directory, caFile), secrets.where(['ldap', 'caFile']));
  return {
    ...{ url, bindDn, bindPassword, userBase, ca },
    userAttribute: ldap.userAttribute,
    userFilter: ldap.userFilter,
    subjectAttribute: ldap.subjectAttribute,
    groupBase: ldap.groupBase,
    groupAttribute: ldap.groupAttribute,
    memberAttribute: ldap.memberAttribute,
    timeoutMs: ldap.timeout,
    lifetimeMs: ldap.lifetime,
  };
}
