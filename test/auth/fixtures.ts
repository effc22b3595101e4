import { generateKeyPairSync, hash, type KeyObject } from 'node:crypto';
import {
  type Account,
  createAuthenticator,
  createDirectory,
  createPasswordHasher,
  createRefreshTokens,
  createSeal,
  createSecondFactor,
  createTokenIssuer,
  DEFAULT_PASSWORD_HASH_OPTIONS,
  DEFAULT_REFRESH_OPTIONS,
  hashSecret,
  type KeyRing,
  type LastUse,
  newRobotSecret,
  type PasswordHashOptions,
  type PersonalToken,
  type RefreshToken,
  type SigningKey,
} from '../../src/auth/index.ts';
import {
  createLocalChanges,
  createManualClock,
  newId,
  silentLogger,
  systemRandom,
} from '../../src/base/index.ts';
import { createAttemptCounter, DEFAULT_ATTEMPT_OPTIONS } from '../../src/limits/index.ts';
import type { Grant } from '../../src/roles/index.ts';

/** Real argon2id, with parameters that take a millisecond. */
export const FAST_HASH: PasswordHashOptions = { ...DEFAULT_PASSWORD_HASH_OPTIONS, memoryKiB: 64 };
export const ISSUER = 'https://registry.test:8443';
export const SERVICE = 'dockgate';

function signingKey(privateKey: KeyObject, createdAtMs: number): SigningKey & { readonly key: KeyObject } {
  const { kty, crv, x, y } = privateKey.export({ format: 'jwk' });
  const kid = hash('sha256', JSON.stringify({ crv, kty, x, y }), 'base64url');
  return {
    kid,
    privatePem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    publicJwk: { kty, crv, x, y, kid, alg: 'ES256', use: 'sig' },
    createdAtMs,
    key: privateKey,
  };
}

export function newSigningKey(createdAtMs: number): SigningKey & { readonly key: KeyObject } {
  return signingKey(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey, createdAtMs);
}

/** A key ring whose keys a test exchanges. */
export function ringOf(...first: SigningKey[]): KeyRing & { set(...keys: SigningKey[]): void } {
  let keys: readonly SigningKey[] = first;
  return {
    keys: () => keys,
    set(...next) {
      keys = next;
    },
  };
}

/** Accounts as the store keeps them, changed only through its calls, each of which tells the changes. */
function createAccounts(parts: { readonly changes: ReturnType<typeof createLocalChanges> }) {
  const accounts = new Map<string, Account>();
  const grants = new Map<string, readonly Grant[]>();
  const refreshTokens = new Map<string, RefreshToken>();
  const personalTokens = new Map<string, PersonalToken>();
  let readCount = 0;
  const tell = (key: string) => parts.changes.publish({ topic: 'access', key });
  return {
    readCount: () => readCount,
    refreshTokens,
    add(account: Account) {
      accounts.set(account.id, account);
      tell(account.id);
    },
    change(id: string, with_: Partial<Account>) {
      const account = accounts.get(id);
      if (account) accounts.set(id, { ...account, ...with_ });
      tell(id);
    },
    remove(id: string) {
      accounts.delete(id);
      tell(id);
    },
    grant(id: string, ...given: Grant[]) {
      grants.set(id, given);
      tell(id);
    },
    async findAccountByName(kind: Account['kind'], name: string) {
      return [...accounts.values()].find((one) => one.kind === kind && one.name === name);
    },
    async findAccountById(id: string) {
      return accounts.get(id);
    },
    async readAccess({ kind, id }: { kind: string; id: string }) {
      readCount += 1;
      const given = grants.get(id) ?? [];
      if (kind === 'anonymous') return { isActive: true, notBeforeMs: 0, grants: given };
      const account = accounts.get(id);
      const tokens = [...personalTokens.values()].filter((token) => token.accountId === id);
      return account && { isActive: !account.isDisabled, grants: given, tokens, ...pick(account) };
    },
    async findRefreshToken(id: string) {
      return refreshTokens.get(id);
    },
    async addRefreshToken(token: RefreshToken) {
      refreshTokens.set(token.id, token);
    },
    async touchRefreshToken(id: string, use: LastUse) {
      const token = refreshTokens.get(id);
      if (token) refreshTokens.set(id, { ...token, lastUsedAtMs: use.atMs, lastUsedFrom: use.from });
    },
    async signInExternal(): Promise<Account> {
      throw new Error('no other directory');
    },
    async replaceHash(id: string, oldHash: string, secretHash: string) {
      const account = accounts.get(id);
      if (account?.secretHash === oldHash) accounts.set(id, { ...account, secretHash });
    },
    async setPendingFactor() {},
    async confirmFactor() {},
    async useFactorStep() {
      return false;
    },
    async useRecoveryCode() {
      return false;
    },
    personalTokens,
    addPersonalToken(token: PersonalToken) {
      personalTokens.set(token.id, token);
      tell(token.accountId);
    },
    async findPersonalToken(secretHash: string) {
      return [...personalTokens.values()].find(
        (token) => token.secretHash === secretHash || token.previous?.secretHash === secretHash,
      );
    },
    async touchPersonalToken(id: string, lastUse: LastUse) {
      const token = personalTokens.get(id);
      if (token) personalTokens.set(id, { ...token, lastUse });
    },
    async touchAccount(id: string, lastUse: LastUse) {
      const account = accounts.get(id);
      if (account) accounts.set(id, { ...account, lastUse });
    },
  };
}

function pick(account: Account) {
  const { notBeforeMs, expiresAtMs } = account;
  return { notBeforeMs, ...(expiresAtMs === undefined ? {} : { expiresAtMs }) };
}

/** The whole room, with one user and one robot, on a clock that stands still. */
export async function createHouse(hashOptions: PasswordHashOptions = FAST_HASH) {
  const clock = createManualClock();
  const changes = createLocalChanges();
  const random = systemRandom;
  const accounts = createAccounts({ changes });
  const key = newSigningKey(clock.nowMs());
  const keys = ringOf(key);
  const counter = createAttemptCounter(DEFAULT_ATTEMPT_OPTIONS, { clock });
  const failures: string[] = [];
  const attempts = {
    delayMs: async (account: string, source: string) => counter.delayMs(account, source),
    failed: async (account: string, source: string) => {
      failures.push(`${account} ${source}`);
      counter.failed(account, source);
    },
    succeeded: async (account: string, source: string) => counter.succeeded(account, source),
  };
  const hasher = createPasswordHasher(hashOptions, { random });
  const verifications: string[] = [];
  const during: { verify: () => void } = { verify() {} };
  const countingHasher = {
    ...hasher,
    async verify(password: string, secretHash: string | undefined) {
      verifications.push(password);
      const outcome = await hasher.verify(password, secretHash);
      during.verify();
      return outcome;
    },
  };
  const directory = createDirectory({ entriesMax: 100 }, { accounts, changes, clock });
  const tokens = createTokenIssuer(
    { issuer: ISSUER, service: SERVICE, lifetimeSeconds: 300 },
    { keys, clock, random },
  );
  const refreshTokens = createRefreshTokens(DEFAULT_REFRESH_OPTIONS, {
    reads: accounts,
    writes: accounts,
    directory,
    clock,
    random,
    logger: silentLogger,
  });
  const seal = createSeal(random.bytes(32), { random });
  const secondFactor = createSecondFactor({ accounts, seal, clock, random });
  const authenticator = createAuthenticator({
    secondFactor,
    accounts,
    directory,
    attempts,
    hasher: countingHasher,
    changes,
    clock,
    random,
    logger: silentLogger,
    tokens,
    refreshTokens,
  });
  const secretHash = await hasher.hash('correct horse');
  if (typeof secretHash !== 'string') throw new Error('the hasher is not busy in a test that has just begun');
  const created = { isDisabled: false, notBeforeMs: clock.nowMs(), createdAtMs: clock.nowMs() };
  const ann: Account = { kind: 'user', id: newId(random), name: 'ann', secretHash, ...created };
  const robotSecret = newRobotSecret(random);
  const robot: Account = {
    kind: 'robot',
    id: newId(random),
    name: 'ci',
    secretHash: hashSecret(robotSecret),
    ...created,
    expiresAtMs: clock.nowMs() + 86_400_000,
  };
  accounts.add(ann);
  accounts.add(robot);
  return {
    clock,
    changes,
    accounts,
    key,
    keys,
    hasher,
    attempts,
    failures,
    verifications,
    /** What happens while a password is being checked. */
    during,
    directory,
    tokens,
    refreshTokens,
    authenticator,
    ann,
    robot,
    robotSecret,
    principal: { kind: 'user' as const, id: ann.id, name: 'ann' },
  };
}

export function basic(name: string, secret: string): string {
  return `Basic ${Buffer.from(`${name}:${secret}`).toString('base64')}`;
}
