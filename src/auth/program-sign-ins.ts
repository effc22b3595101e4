import { hash } from 'node:crypto';
import { type Clock, MINUTE_MS, type Random } from '../base/index.ts';
import { type Refusal, refuse } from '../oci/index.ts';
import { type Authentication, tooManyAttempts, type Unproved, unproved } from './authentication.ts';
import type { Directory } from './directory.ts';
import type { AccountReads, AccountWrites, Attempts } from './ports.ts';
import type { ProgramSignIn } from './program-ports.ts';
import { hashSecret } from './secrets.ts';

export interface ProgramSignInsParts {
  readonly accounts: Pick<AccountReads, 'findAccountById' | 'findProgramSignIn'> &
    Pick<AccountWrites, 'addProgramSignIn' | 'decideProgramSignIn' | 'takeProgramSignIn'>;
  readonly directory: Pick<Directory, 'isLive'>;
  readonly attempts: Attempts;
  readonly clock: Clock;
  readonly random: Random;
}

/** Signs in a program of a person, without a password in the program's hands. */
export interface ProgramSignIns {
  /**
   * Begins one that a person confirms by typing a code.
   * @returns `undefined` when too many wait.
   */
  begin(source: string): Promise<WaitingProgram | undefined>;
  /** @param by account of the person who types, by whom wrong ones are counted. */
  find(userCode: string, by: string): Promise<ProgramSignIn | Unproved>;
  /** @returns false: it is over, or was decided already. */
  decide(
    userCode: string,
    decision: { readonly accountId: string; readonly isApproved: boolean },
  ): Promise<boolean>;
  /** @returns the code that the browser brings to the program; `undefined` when too many wait. */
  approve(program: {
    readonly challenge: string;
    readonly accountId: string;
    readonly source: string;
  }): Promise<string | undefined>;
  /** The program's turn. Refusals are `program.waiting`, `program.denied` or `program.over`. */
  redeem(shown: { readonly secret: string; readonly verifier?: string }): Promise<Authentication>;
}

export interface WaitingProgram {
  readonly secret: string;
  /** `BCDF-GHJK` */
  readonly userCode: string;
  readonly lifeMs: number;
}

const TYPED_LIFE_MS = 10 * MINUTE_MS;
/** The browser brings a code at once. */
const BROUGHT_LIFE_MS = MINUTE_MS;
const SECRET_BYTES = 32;
/** No vowels, so that no word comes out, and nothing that looks like something else (RFC 8628 chapter 6.1). */
const LETTERS = 'BCDFGHJKLMNPQRSTVWXZ';
const USER_CODE_LENGTH = 8;
/** Counted under this name, which no account can have. */
const NO_NAME = '?device';

export function createProgramSignIns(parts: ProgramSignInsParts): ProgramSignIns {
  const { accounts, attempts, clock, random } = parts;

  function newSecret(): string {
    return Buffer.from(random.bytes(SECRET_BYTES)).toString('base64url');
  }

  async function identify({ decision }: ProgramSignIn): Promise<Authentication> {
    const { accountId, atMs = 0 } = decision ?? {};
    const account = accountId === undefined ? undefined : await accounts.findAccountById(accountId);
    // Disabled, revoked or changed since it was confirmed: then this ends, too.
    if (!account || !(await parts.directory.isLive(account, atMs))) return refused('over');
    const { kind, id, name } = account;
    return {
      ok: true,
      identity: { principal: { kind, id, name }, via: 'browser', provedAtMs: atMs, scopes: undefined },
    };
  }

  return {
    async begin(source) {
      const secret = newSecret();
      const userCode = newUserCode(random);
      const createdAtMs = clock.nowMs();
      const isAdded = await accounts.addProgramSignIn({
        secretHash: hashSecret(secret),
        codeHash: hashCode(userCode),
        ...{ source, createdAtMs, untilMs: createdAtMs + TYPED_LIFE_MS },
      });
      return isAdded ? { secret, userCode, lifeMs: TYPED_LIFE_MS } : undefined;
    },
    async find(userCode, by) {
      const delayMs = await attempts.delayMs(NO_NAME, by);
      if (delayMs > 0) return tooManyAttempts(delayMs);
      const found = await accounts.findProgramSignIn(hashCode(userCode));
      if (found && !found.decision && clock.nowMs() < found.untilMs) return found;
      await attempts.failed(NO_NAME, by);
      const message = 'dockgate: no command waits for this code: check it, or run the command again';
      return unproved(refuse('UNAUTHORIZED', message, { status: 404 }), 'program.code');
    },
    async decide(userCode, { accountId, isApproved }) {
      const atMs = clock.nowMs();
      return accounts.decideProgramSignIn(hashCode(userCode), { atMs, ...(isApproved ? { accountId } : {}) });
    },
    async approve({ challenge, accountId, source }) {
      const secret = newSecret();
      const createdAtMs = clock.nowMs();
      const isAdded = await accounts.addProgramSignIn({
        secretHash: hashSecret(secret),
        ...{ challenge, source, createdAtMs, untilMs: createdAtMs + BROUGHT_LIFE_MS },
        decision: { accountId, atMs: createdAtMs },
      });
      return isAdded ? secret : undefined;
    },
    async redeem({ secret, verifier }) {
      const nowMs = clock.nowMs();
      const found = await accounts.takeProgramSignIn(hashSecret(secret), nowMs);
      if (!found || nowMs >= found.untilMs) return refused('over');
      // A code that somebody else caught is worth nothing without the verifier, which never left the program.
      if (found.challenge !== challengeOf(verifier)) return refused('over');
      if (!found.decision) return refused('waiting');
      return found.decision.accountId === undefined ? refused('denied') : identify(found);
    },
  };
}

const SENTENCES = {
  waiting: 'the person has not confirmed it yet',
  denied: 'the person refused it',
  over: 'this sign-in is over: begin again',
} as const;

function refused(cause: keyof typeof SENTENCES): Unproved {
  const refusal: Refusal = refuse('UNAUTHORIZED', `dockgate: ${SENTENCES[cause]}`, { status: 400 });
  return unproved(refusal, `program.${cause}`);
}

function challengeOf(verifier: string | undefined): string | undefined {
  return verifier === undefined ? undefined : hash('sha256', verifier, 'base64url');
}

function newUserCode(random: Random): string {
  let code = '';
  while (code.length < USER_CODE_LENGTH) {
    const [byte = 255] = random.bytes(1);
    // 240 is 12 times 20: above it some letters would come more often than others.
    if (byte < 240) code += LETTERS.charAt(byte % LETTERS.length);
  }
  return `${code.slice(0, 4)}-${code.slice(4)}`;
}

/** As a person types it: whatever the case, with or without the dash. */
function hashCode(userCode: string): string {
  return hashSecret(`device ${userCode.toUpperCase().replace(/[^A-Z]/g, '')}`);
}
