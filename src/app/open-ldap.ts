import type { External } from '../auth/index.ts';
import type { Logger } from '../base/index.ts';
import { createLdapDirectory } from '../ldap/index.ts';
import type { NodeConfig } from './node-config.ts';

/** The LDAP directory of people, where one is configured. */
export function openLdap({ ldap }: NodeConfig, parts: { readonly logger: Logger }): External | undefined {
  if (!ldap) return undefined;
  return { directory: createLdapDirectory(ldap, parts), lifetimeMs: ldap.lifetimeMs };
}
