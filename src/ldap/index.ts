/** Asks an LDAP directory whether a password is right, and for groups. Entered by app/; implements a port of auth/. */
export type { LdapOptions } from './ldap-directory.ts';
export { createLdapDirectory } from './ldap-directory.ts';
