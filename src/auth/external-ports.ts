/** Somebody whose password another directory has just found right. */
export interface ExternalPerson {
  /** Names the person in that directory for ever, unlike the name. */
  readonly subject: string;
  readonly groups: readonly string[];
}

/** Port, implemented by `ldap/`: a directory of people that checks their passwords itself. */
export interface ExternalDirectory {
  /** Its name in accounts and records. */
  readonly name: string;
  /**
   * @returns `undefined` when the password is wrong or there is no such person.
   * @throws when the directory does not answer.
   */
  prove(name: string, password: string): Promise<ExternalPerson | undefined>;
}

/** A proof by another directory, to be written down. */
export interface ExternalSignIn extends ExternalPerson {
  readonly provider: string;
  readonly name: string;
  /** A person who is known keeps the name of the account, whatever the provider calls it now. */
  readonly keepsName?: boolean;
  /** Of the account, should it be made now. */
  readonly newId: string;
  readonly nowMs: number;
  /** Until then the account works without another proof. */
  readonly expiresAtMs: number;
}

/** What stands in place of a password's hash: no password is right for it here. */
export function externalHash(provider: string): string {
  return `external:${provider}`;
}
