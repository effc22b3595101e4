import type { Action, Grant, GrantSubject, Principal, Role } from '../roles/index.ts';
import type {
  KeptFactor,
  LastUse,
  LiveToken,
  PersonalTokenReads,
  PersonalTokenWrites,
  PreviousSecret,
  Rotation,
  SecondFactorWrites,
} from './credential-ports.ts';
import type { ExternalSignIn } from './external-ports.ts';
import type { ProgramReads, ProgramWrites } from './program-ports.ts';

/** A user or robot as kept. */
export interface Account {
  readonly kind: 'user' | 'robot';
  readonly id: string;
  readonly name: string;
  /** PHC string of argon2id for a user, `sha256:<hex>` of the random secret for a robot. */
  readonly secretHash: string;
  readonly isDisabled: boolean;
  /** Tokens issued before this instant are dead (password change, revocation, disable). */
  readonly notBeforeMs: number;
  readonly createdAtMs: number;
  /** Of a robot, or of a person whom another directory must prove again. */
  readonly expiresAtMs?: number;
  /** Users only: present when a password alone is not enough. */
  readonly secondFactor?: KeptFactor;
  /** A sealed seed that waits to be confirmed. */
  readonly pendingFactor?: string;
  /** Robots only: the secret before the last rotation. */
  readonly previous?: PreviousSecret;
  /** Robots only. */
  readonly lastUse?: LastUse;
}

export interface Group {
  readonly id: string;
  readonly name: string;
  readonly members: readonly string[];
}

/** A refresh token as kept: only the hash of its random secret. */
export interface RefreshToken {
  readonly id: string;
  readonly accountId: string;
  readonly service: string;
  readonly clientId: string;
  readonly secretHash: string;
  readonly createdAtMs: number;
  readonly lastUsedAtMs: number;
  readonly lastUsedFrom?: string;
}

/** What decides about a principal now. */
export interface Access {
  /** Not disabled. */
  readonly isActive: boolean;
  /** Tokens issued before this instant are dead; revoking writes the millisecond after now. */
  readonly notBeforeMs: number;
  /** Robots only: at this instant the robot is no longer active. Kept beside `isActive`, since this is cached. */
  readonly expiresAtMs?: number;
  readonly grants: readonly Grant[];
  /** Its personal access tokens; those that are over may be missing. */
  readonly tokens?: readonly LiveToken[];
  /** Sessions that ended by themselves while access tokens got by them may still be about. */
  readonly endedSessions?: readonly string[];
  /** Roles of the principal that give nothing until its second factor is on. */
  readonly inertRoles?: readonly string[];
}

/** Port, implemented by `store/`; answered by each process from its own read-only connection. */
export interface AccountReads extends PersonalTokenReads, ProgramReads {
  findAccountByName(kind: Account['kind'], name: string): Promise<Account | undefined>;
  findAccountById(id: string): Promise<Account | undefined>;
  /** Grants of the principal itself and of its groups, roles resolved to actions; expired ones included. */
  readAccess(principal: Pick<Principal, 'kind' | 'id'>): Promise<Access | undefined>;
  findRefreshToken(id: string): Promise<RefreshToken | undefined>;
  listRefreshTokens(accountId: string): Promise<readonly RefreshToken[]>;
  listAccounts(kind: Account['kind']): Promise<readonly Account[]>;
  listGroups(): Promise<readonly Group[]>;
  listRoles(): Promise<readonly Role[]>;
  listGrants(): Promise<readonly Grant[]>;
}

export interface NewGrant {
  readonly role: string;
  readonly pattern: string;
  readonly subject: Pick<GrantSubject, 'kind' | 'name'>;
  readonly effect: 'allow' | 'deny';
  readonly fromMs?: number;
  readonly untilMs?: number;
}

/**
 * One change of many that are made together (`AccountWrites.applySteps`): all in one transaction, or none.
 */
export type AccessStep =
  | { readonly do: 'role.put'; readonly role: Pick<Role, 'name' | 'actions'> }
  | { readonly do: 'role.remove'; readonly name: string }
  | { readonly do: 'account.add'; readonly account: Account }
  | {
      readonly do: 'account.disable' | 'account.enable';
      readonly kind: Account['kind'];
      readonly name: string;
      readonly notBeforeMs: number;
    }
  | { readonly do: 'account.remove'; readonly kind: Account['kind']; readonly name: string }
  | { readonly do: 'group.add'; readonly group: Pick<Group, 'id' | 'name'> }
  | { readonly do: 'group.remove'; readonly name: string }
  | { readonly do: 'group.join' | 'group.leave'; readonly group: string; readonly user: string }
  | { readonly do: 'grant.add'; readonly grant: NewGrant }
  /** Exactly this one: others on the same pattern may differ in effect or dates. */
  | { readonly do: 'grant.remove'; readonly id: string };

/** Every grant of the role on the pattern to the subject. */
export type GrantPlace = Pick<NewGrant, 'role' | 'pattern' | 'subject'>;

/** Port, implemented by `store/`. */
export interface ExternalWrites {
  /**
   * Finds the account of the person, or makes it; puts it into the groups of the same names that there are here, and
   * takes it out of those that the directory no longer says. Groups it was put into here are left alone.
   *
   * @throws {StoreConflict} `taken`: the name belongs to an account that is not of this person.
   */
  signInExternal(signIn: ExternalSignIn): Promise<Account>;
}

/**
 * Port, implemented by `store/`; in a worker a proxy that sends the call to the process that writes. Resolves after
 * COMMIT and after every live process of the node has dropped what it held.
 *
 * @throws {StoreConflict} the name is taken, the last admin would go, or a name that is referred to is unknown.
 */
export interface AccountWrites
  extends PersonalTokenWrites,
    SecondFactorWrites,
    ExternalWrites,
    ProgramWrites {
  addAccount(account: Account): Promise<void>;
  /** Also raises notBeforeMs, so that tokens of the old secret die. */
  setSecret(id: string, secretHash: string, notBeforeMs: number): Promise<void>;
  /** The same password, hashed anew; nothing is done where another was set since `oldHash` was read. */
  replaceHash(id: string, oldHash: string, newHash: string): Promise<void>;
  /** A robot's new secret beside the old one, which counts until then; its tokens live on. */
  rotateSecret(id: string, rotation: Rotation): Promise<void>;
  touchAccount(id: string, use: LastUse): Promise<void>;
  setDisabled(id: string, isDisabled: boolean, notBeforeMs: number): Promise<void>;
  /** Kills every access, refresh and personal token of the account. */
  revokeTokens(id: string, notBeforeMs: number): Promise<void>;
  removeAccount(id: string): Promise<void>;
  addGroup(group: Pick<Group, 'id' | 'name'>): Promise<void>;
  removeGroup(name: string): Promise<void>;
  joinGroup(group: string, userName: string): Promise<void>;
  leaveGroup(group: string, userName: string): Promise<void>;
  putRole(role: { readonly name: string; readonly actions: readonly Action[] }): Promise<void>;
  removeRole(name: string): Promise<void>;
  /** @returns the id; adding the same grant again returns the one there is. */
  addGrant(grant: NewGrant): Promise<string>;
  /** @returns whether there was such a grant. */
  removeGrant(grant: GrantPlace): Promise<boolean>;
  /**
   * The same under the giver's own rights (`roles.manage`), which are looked at in the change's own transaction.
   * @throws {StoreConflict} `beyond`: it would give or take more than the giver holds now and until its end.
   */
  giveGrant(giver: Principal, grant: NewGrant): Promise<string>;
  takeGrant(giver: Principal, grant: GrantPlace): Promise<boolean>;
  /** Makes all of these in their order, or none of them. @throws {StoreConflict} as each of them would. */
  applySteps(steps: readonly AccessStep[]): Promise<void>;
  /** Of more than 100 tokens of one account the store drops the one used longest ago. */
  addRefreshToken(token: RefreshToken): Promise<void>;
  touchRefreshToken(id: string, use: LastUse): Promise<void>;
  removeRefreshToken(id: string): Promise<void>;
}

/**
 * Port: counts attempts to sign in, for all processes of the node (or the cluster). Implemented by `cluster/`.
 * A counter that cannot be reached counts in this process alone; it never lets everything through.
 */
export interface Attempts {
  /**
   * Whether a password may be tried now for this account from this source.
   * @returns 0, or the milliseconds after which to come back.
   */
  delayMs(account: string, source: string): Promise<number>;
  /** Counts a wrong password. */
  failed(account: string, source: string): Promise<void>;
  /** A right password clears the account's count from this source. */
  succeeded(account: string, source: string): Promise<void>;
}

/** One key of the token signer. Private keys are PKCS#8 PEM, public ones JWK. */
export interface SigningKey {
  readonly kid: string;
  readonly privatePem: string;
  readonly publicJwk: Readonly<Record<string, unknown>>;
  readonly createdAtMs: number;
}

/** Port: the token keys, newest first; those no longer used for signing are kept one token life for verifying. */
export interface KeyRing {
  /** The same array as long as no key came or went. */
  keys(): readonly SigningKey[];
}
