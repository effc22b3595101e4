import { z } from 'zod';
import {
  expiryWarning,
  hashSecret,
  newPersonalSecret,
  type PersonalToken,
  type RefreshToken,
} from '../../auth/index.ts';
import { DAY_MS, MINUTE_MS, newId, parseDuration, printDuration } from '../../base/index.ts';
import { type Allowance, parseAction } from '../../roles/index.ts';
import {
  newTokenShape,
  type TokenListShape,
  tokenListShape,
  tokenParams,
  tokenRotationShape,
  tokenSecretShape,
  userTokenParams,
  userTokensParams,
} from '../contract.ts';
import { ApiProblem, type OperationContext, operation } from '../operation.ts';
import { findUser } from './people.ts';

const DEFAULT_LIFE_MS = 30 * DAY_MS;
const LIFE_MS_MIN = 5 * MINUTE_MS;
const LIFE_MS_MAX = 365 * DAY_MS;
const OVERLAP_MS_MAX = 7 * DAY_MS;
/** Reading images: what a token is for that says nothing else. */
const DEFAULT_ALLOWS: readonly Allowance[] = [{ actions: ['pull', 'list'], pattern: '**' }];

const done = z.object({ name: z.string() });

/** Personal access tokens and sessions: what a person signs in with beside the password. */
export const tokenOperations = [
  operation({
    id: 'token.list',
    method: 'get',
    path: '/tokens',
    summary: "The caller's personal access tokens and sessions, with their last use",
    action: 'person',
    input: z.strictObject({}),
    output: tokenListShape,
    status: 200,
    run: (_input, context) => listOf(context.identity.principal.id, context),
  }),
  operation({
    id: 'token.create',
    method: 'post',
    path: '/tokens',
    summary:
      'Makes a personal access token with a part of the rights of the caller; answers its secret, this once',
    action: 'person',
    input: newTokenShape,
    output: tokenSecretShape,
    status: 201,
    change: ({ name, expires, allows }) => ({ token: name, expires, allows }),
    async run({ name, expires, allows }, context) {
      const { parts, identity } = context;
      const lifeMs = lifeOf(expires);
      const nowMs = parts.clock.nowMs();
      const secret = newPersonalSecret(parts.random);
      const expiresAtMs = nowMs + lifeMs;
      await parts.accounts.addPersonalToken({
        id: newId(parts.random),
        accountId: identity.principal.id,
        name,
        secretHash: hashSecret(secret),
        allows: allows?.map(toAllowance) ?? DEFAULT_ALLOWS,
        createdAtMs: nowMs,
        expiresAtMs,
      });
      return { name, secret, expiresAt: new Date(expiresAtMs).toISOString() };
    },
  }),
  operation({
    id: 'token.rotate',
    method: 'post',
    path: '/tokens/{token}/rotate',
    summary:
      'Gives a token a new secret and a new life as long as its last; the old secret counts for the overlap',
    action: 'person',
    input: z.strictObject({ ...tokenParams.shape, ...tokenRotationShape.shape }),
    output: tokenSecretShape,
    status: 200,
    change: ({ token, overlap }) => ({ token, overlap: overlap ?? 'none' }),
    async run({ token: name, overlap }, context) {
      const { parts, identity } = context;
      const token = await findToken(identity.principal.id, name, context);
      const nowMs = parts.clock.nowMs();
      const secret = newPersonalSecret(parts.random);
      const expiresAtMs = nowMs + (token.expiresAtMs - token.createdAtMs);
      await parts.accounts.rotatePersonalToken(token.id, {
        secretHash: hashSecret(secret),
        createdAtMs: nowMs,
        expiresAtMs,
        ...previousUntil(overlap, nowMs, token.expiresAtMs),
      });
      return { name: token.name, secret, expiresAt: new Date(expiresAtMs).toISOString() };
    },
  }),
  operation({
    id: 'token.revoke',
    method: 'delete',
    path: '/tokens/{token}',
    summary:
      "Ends one of the caller's tokens or sessions, by name or id; the next request with it is refused",
    action: 'person',
    input: tokenParams,
    output: done,
    status: 200,
    change: ({ token }) => ({ token }),
    run: ({ token }, context) => revoke(context.identity.principal.id, token, context),
  }),
  operation({
    id: 'user.tokens',
    method: 'get',
    path: '/users/{name}/tokens',
    summary: "A user's personal access tokens and sessions, with their last use",
    action: 'users.manage',
    input: userTokensParams,
    output: tokenListShape,
    status: 200,
    run: async ({ name }, context) => listOf((await findUser(name, context)).id, context),
  }),
  operation({
    id: 'user.token.revoke',
    method: 'delete',
    path: '/users/{name}/tokens/{token}',
    summary: "Ends one of a user's tokens or sessions, by name or id",
    action: 'users.manage',
    input: userTokenParams,
    output: done,
    status: 200,
    change: ({ name, token }) => ({ user: name, token }),
    run: async ({ name, token }, context) => revoke((await findUser(name, context)).id, token, context),
  }),
];

/** @throws {ApiProblem} shorter than five minutes or longer than a year. */
function lifeOf(expires: string | undefined): number {
  const lifeMs = expires === undefined ? DEFAULT_LIFE_MS : (parseDuration(expires) ?? 0);
  if (lifeMs >= LIFE_MS_MIN && lifeMs <= LIFE_MS_MAX) return lifeMs;
  const bounds = `${printDuration(LIFE_MS_MIN)} to ${printDuration(LIFE_MS_MAX)}`;
  throw new ApiProblem(400, 'DG_INPUT_INVALID', `expires: a token lives ${bounds}`);
}

/**
 * Until when the old secret counts: never beyond the end that it was given.
 * @throws {ApiProblem} longer than a week.
 */
export function previousUntil(
  overlap: string | undefined,
  nowMs: number,
  endMs = Number.POSITIVE_INFINITY,
): { readonly previousUntilMs?: number } {
  const overlapMs = overlap === undefined ? 0 : (parseDuration(overlap) ?? 0);
  if (overlapMs > OVERLAP_MS_MAX) {
    throw new ApiProblem(400, 'DG_INPUT_INVALID', `overlap: at most ${printDuration(OVERLAP_MS_MAX)}`);
  }
  return overlapMs === 0 ? {} : { previousUntilMs: Math.min(nowMs + overlapMs, endMs) };
}

function toAllowance(input: { readonly actions: readonly string[]; readonly on: string }): Allowance {
  // Checked with the rest of the input; this only gives the words their type.
  const actions = input.actions.map(parseAction).filter((action) => action !== undefined);
  return { actions, pattern: input.on };
}

async function findToken(
  accountId: string,
  nameOrId: string,
  { parts }: OperationContext,
): Promise<PersonalToken> {
  const tokens = await parts.accounts.listPersonalTokens(accountId);
  const token = tokens.find(({ name }) => name === nameOrId) ?? tokens.find(({ id }) => id === nameOrId);
  if (!token) throw unknownToken(nameOrId);
  return token;
}

/** Of this account's alone: the id of somebody else's token is as unknown as one that nobody has. */
async function revoke(
  accountId: string,
  nameOrId: string,
  context: OperationContext,
): Promise<{ name: string }> {
  const { accounts } = context.parts;
  const sessions = await accounts.listRefreshTokens(accountId);
  if (sessions.some(({ id }) => id === nameOrId)) {
    await accounts.removeRefreshToken(nameOrId);
    return { name: nameOrId };
  }
  const token = await findToken(accountId, nameOrId, context);
  await accounts.removePersonalToken(token.id);
  return { name: token.name };
}

function unknownToken(nameOrId: string): ApiProblem {
  return new ApiProblem(404, 'DG_TOKEN_UNKNOWN', `there is no token or session ${nameOrId}`);
}

async function listOf(accountId: string, { parts }: OperationContext): Promise<TokenListShape> {
  const nowMs = parts.clock.nowMs();
  const [tokens, sessions] = await Promise.all([
    parts.accounts.listPersonalTokens(accountId),
    parts.accounts.listRefreshTokens(accountId),
  ]);
  return {
    tokens: tokens.map((token) => printToken(token, nowMs)),
    sessions: sessions.map(printSession),
  };
}

function printToken(token: PersonalToken, nowMs: number): TokenListShape['tokens'][number] {
  const { id, name, allows, createdAtMs, expiresAtMs, lastUse, previous } = token;
  const warning = expiryWarning({ what: `token ${name}`, createdAtMs, expiresAtMs }, nowMs);
  return {
    id,
    name,
    allows: allows.map(({ actions, pattern }) => ({ actions: [...actions], on: pattern })),
    createdAt: instant(createdAtMs),
    expiresAt: instant(expiresAtMs),
    isOver: nowMs >= expiresAtMs,
    ...(lastUse === undefined ? {} : { lastUsedAt: instant(lastUse.atMs), lastUsedFrom: lastUse.from }),
    ...(previous === undefined || nowMs >= previous.untilMs
      ? {}
      : { previousUntil: instant(previous.untilMs) }),
    ...(warning === undefined ? {} : { warning }),
  };
}

function printSession(session: RefreshToken): TokenListShape['sessions'][number] {
  const { id, clientId, createdAtMs, lastUsedAtMs, lastUsedFrom } = session;
  return {
    id,
    client: clientId,
    createdAt: instant(createdAtMs),
    lastUsedAt: instant(lastUsedAtMs),
    ...(lastUsedFrom === undefined ? {} : { lastUsedFrom }),
  };
}

function instant(atMs: number): string {
  return new Date(atMs).toISOString();
}
