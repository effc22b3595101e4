/**
 * A sign-in that a program asked for and a person confirms in a browser: by a code that the person types (RFC 8628), or
 * by one that the browser brings back to the program (RFC 8252). Of secrets only hashes are kept.
 */
export interface ProgramSignIn {
  /** Of what the program shows to get its tokens. */
  readonly secretHash: string;
  /** Of the code that a person types; absent where the browser brings one back. */
  readonly codeHash?: string;
  /** Of the program's PKCE verifier (S256); absent where a person types a code. */
  readonly challenge?: string;
  /** Where the program asked from, as `sourceOf` gives it. */
  readonly source: string;
  readonly createdAtMs: number;
  /** Half-open: at this instant it is over. */
  readonly untilMs: number;
  readonly decision?: ProgramDecision;
}

export interface ProgramDecision {
  /** Who confirmed it; absent: it was refused. */
  readonly accountId?: string;
  readonly atMs: number;
}

/** Port, implemented by `store/`. */
export interface ProgramReads {
  /** By the hash of the code that a person types; over ones included. */
  findProgramSignIn(codeHash: string): Promise<ProgramSignIn | undefined>;
}

/** Port, implemented by `store/`. */
export interface ProgramWrites {
  /** @returns false: too many wait, of all or of this source. Those that are over go first. */
  addProgramSignIn(signIn: ProgramSignIn): Promise<boolean>;
  /** @returns whether this decided it: of two who decide at once one does. */
  decideProgramSignIn(codeHash: string, decision: ProgramDecision): Promise<boolean>;
  /** What there is under the secret; one that is decided or over is gone with this answer. */
  takeProgramSignIn(secretHash: string, nowMs: number): Promise<ProgramSignIn | undefined>;
}
