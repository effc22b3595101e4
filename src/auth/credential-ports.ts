import type { Allowance } from '../roles/index.ts';

/** When and from where a credential was used last; written every few minutes at most. */
export interface LastUse {
  readonly atMs: number;
  /** As `sourceOf` gives it: an IPv4 address, or the network of an IPv6 one. */
  readonly from: string;
}

/** A secret that was replaced and still counts until then, so that a rotation needs no moment without one. */
export interface PreviousSecret {
  readonly secretHash: string;
  /** Half-open: at this instant it is dead. */
  readonly untilMs: number;
}

/** A personal access token as kept: only the hash of its random secret. */
export interface PersonalToken {
  readonly id: string;
  readonly accountId: string;
  /** Of all its account's tokens only this one has it. */
  readonly name: string;
  readonly secretHash: string;
  readonly previous?: PreviousSecret;
  /** What it may do, where the owner's grants allow it. */
  readonly allows: readonly Allowance[];
  readonly createdAtMs: number;
  /** Half-open: at this instant it is dead. */
  readonly expiresAtMs: number;
  readonly lastUse?: LastUse;
}

/** The part of a personal token that is asked for at every request that came by it. */
export interface LiveToken extends Pick<PersonalToken, 'id' | 'allows' | 'expiresAtMs'> {}

/** Port, implemented by `store/`. */
export interface PersonalTokenReads {
  /** By the hash of the secret, or of the one before; whether it is still good, the caller decides. */
  findPersonalToken(secretHash: string): Promise<PersonalToken | undefined>;
  /** By name; those that are over included. */
  listPersonalTokens(accountId: string): Promise<readonly PersonalToken[]>;
}

/** A second factor in force. */
export interface KeptFactor {
  /** The seed of its one-time codes, sealed. */
  readonly sealedSeed: string;
  /** The newest time step whose code was used; that code and those before never count again. */
  readonly lastStep: number;
}

export interface FactorConfirmation {
  /** The sealed seed that waits, as it was read. */
  readonly pending: string;
  /** Whose code confirmed it, and is spent by that. */
  readonly step: number;
  readonly recoveryHashes: readonly string[];
  readonly notBeforeMs: number;
}

/** Port, implemented by `store/`. Two processes that show one code at once: `use…` is true for one of them. */
export interface SecondFactorWrites {
  setPendingFactor(id: string, sealedSeed: string): Promise<void>;
  /** @throws {StoreConflict} another enrolment has begun. */
  confirmFactor(id: string, confirmation: FactorConfirmation): Promise<void>;
  useFactorStep(id: string, step: number): Promise<boolean>;
  useRecoveryCode(id: string, codeHash: string): Promise<boolean>;
  removeFactor(id: string, notBeforeMs: number): Promise<void>;
  /** Whether what the role gives counts only for users whose second factor is on. */
  setRoleFactor(role: string, isRequired: boolean): Promise<void>;
}

/** What a new secret in place of the old one changes. */
export interface Rotation {
  readonly secretHash: string;
  /** Until when the old secret still counts; absent: it is dead at once. */
  readonly previousUntilMs?: number;
}

/** A rotated token lives as long again as it did. */
export interface NewLife {
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
}

/**
 * Port, implemented by `store/`; the owner's access is dropped everywhere before a change resolves.
 * @throws {StoreConflict} the name is taken, too many tokens, or there is no such account or token.
 */
export interface PersonalTokenWrites {
  addPersonalToken(token: PersonalToken): Promise<void>;
  rotatePersonalToken(id: string, rotation: Rotation & NewLife): Promise<void>;
  removePersonalToken(id: string): Promise<void>;
  touchPersonalToken(id: string, use: LastUse): Promise<void>;
}
