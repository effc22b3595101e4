import { z } from 'zod';
import { passwordProblem } from '../../auth/index.ts';
import { newId } from '../../base/index.ts';
import {
  groupShape,
  memberParams,
  nameParams,
  newGroupShape,
  newUserShape,
  passwordShape,
  userShape,
} from '../contract.ts';
import { ApiProblem, afterNow, type OperationContext, operation } from '../operation.ts';

const done = z.object({ name: z.string() });

/** @throws {ApiProblem} there is no such user (404). */
export async function findUser(name: string, { parts }: OperationContext) {
  const user = await parts.accounts.findAccountByName('user', name);
  if (!user) throw new ApiProblem(404, 'DG_USER_UNKNOWN', `there is no user ${name}`);
  return user;
}

/** @throws {ApiProblem} the password is too weak (400), or too many hashes wait (429). */
export async function hashNewPassword(
  account: { name: string; password: string },
  { parts }: OperationContext,
): Promise<string> {
  const problem = await passwordProblem(account);
  if (problem !== undefined) throw new ApiProblem(400, 'DG_PASSWORD_WEAK', problem);
  if (await parts.breached?.holds(account.password)) {
    const message = 'the password is on a list of passwords from breaches elsewhere: choose another';
    throw new ApiProblem(400, 'DG_PASSWORD_WEAK', message);
  }
  const hash = await parts.hasher.hash(account.password);
  if (typeof hash !== 'string') throw new ApiProblem(429, 'DG_TOO_MANY_SIGN_INS', hash.message);
  return hash;
}

/** Users and groups. */
export const peopleOperations = [
  operation({
    id: 'user.list',
    method: 'get',
    path: '/users',
    summary: 'All users with their groups',
    action: 'users.manage',
    input: z.strictObject({}),
    output: z.object({ users: z.array(userShape) }),
    status: 200,
    async run(_input, { parts }) {
      const [users, groups] = await Promise.all([
        parts.accounts.listAccounts('user'),
        parts.accounts.listGroups(),
      ]);
      return {
        users: users.map((user) => ({
          name: user.name,
          isDisabled: user.isDisabled,
          createdAt: new Date(user.createdAtMs).toISOString(),
          groups: groups.filter((group) => group.members.includes(user.name)).map((group) => group.name),
        })),
      };
    },
  }),
  operation({
    id: 'user.add',
    method: 'post',
    path: '/users',
    summary: 'Adds a user; it may do nothing until a grant says so',
    action: 'users.manage',
    input: newUserShape,
    output: done,
    status: 201,
    change: ({ name }) => ({ user: name }),
    async run({ name, password }, context) {
      const { parts } = context;
      const secretHash = await hashNewPassword({ name, password }, context);
      const nowMs = parts.clock.nowMs();
      await parts.accounts.addAccount({
        kind: 'user',
        id: newId(parts.random),
        name,
        secretHash,
        isDisabled: false,
        notBeforeMs: nowMs,
        createdAtMs: nowMs,
      });
      return { name };
    },
  }),
  operation({
    id: 'user.passwd',
    method: 'put',
    path: '/users/{name}/password',
    summary: 'Sets a password; every token of the old one dies',
    action: 'users.manage',
    input: z.strictObject({ ...nameParams.shape, ...passwordShape.shape }),
    output: done,
    status: 200,
    change: ({ name }) => ({ user: name }),
    async run({ name, password }, context) {
      const user = await findUser(name, context);
      const secretHash = await hashNewPassword({ name, password }, context);
      await context.parts.accounts.setSecret(user.id, secretHash, afterNow(context));
      return { name };
    },
  }),
  ...(['disable', 'enable'] as const).map((word) =>
    operation({
      id: `user.${word}`,
      method: 'post',
      path: `/users/{name}/${word}`,
      summary: word === 'disable' ? 'Shuts a user out at once, tokens included' : 'Lets a user in again',
      action: 'users.manage',
      input: nameParams,
      output: done,
      status: 200,
      change: ({ name }) => ({ user: name, isDisabled: word === 'disable' }),
      async run({ name }, context) {
        const user = await findUser(name, context);
        await context.parts.accounts.setDisabled(user.id, word === 'disable', afterNow(context));
        return { name };
      },
    }),
  ),
  operation({
    id: 'user.revoke',
    method: 'post',
    path: '/users/{name}/revoke',
    summary: "Ends all of a user's sessions and tokens",
    action: 'users.manage',
    input: nameParams,
    output: done,
    status: 200,
    change: ({ name }) => ({ user: name }),
    async run({ name }, context) {
      const user = await findUser(name, context);
      await context.parts.accounts.revokeTokens(user.id, afterNow(context));
      return { name };
    },
  }),
  operation({
    id: 'user.remove',
    method: 'delete',
    path: '/users/{name}',
    summary: 'Removes a user with its grants and memberships',
    action: 'users.manage',
    input: nameParams,
    output: done,
    status: 200,
    change: ({ name }) => ({ user: name }),
    async run({ name }, context) {
      const user = await findUser(name, context);
      await context.parts.accounts.removeAccount(user.id);
      return { name };
    },
  }),
  operation({
    id: 'group.list',
    method: 'get',
    path: '/groups',
    summary: 'All groups with their members',
    action: 'users.manage',
    input: z.strictObject({}),
    output: z.object({ groups: z.array(groupShape) }),
    status: 200,
    run: async (_input, { parts }) => ({
      groups: (await parts.accounts.listGroups()).map(({ name, members }) => ({
        name,
        members: [...members],
      })),
    }),
  }),
  operation({
    id: 'group.add',
    method: 'post',
    path: '/groups',
    summary: 'Adds a group',
    action: 'users.manage',
    input: newGroupShape,
    output: done,
    status: 201,
    change: ({ name }) => ({ group: name }),
    async run({ name }, { parts }) {
      await parts.accounts.addGroup({ id: newId(parts.random), name });
      return { name };
    },
  }),
  operation({
    id: 'group.remove',
    method: 'delete',
    path: '/groups/{name}',
    summary: 'Removes a group and its grants',
    action: 'users.manage',
    input: nameParams,
    output: done,
    status: 200,
    change: ({ name }) => ({ group: name }),
    async run({ name }, { parts }) {
      await parts.accounts.removeGroup(name);
      return { name };
    },
  }),
  operation({
    id: 'group.join',
    method: 'put',
    path: '/groups/{name}/members/{user}',
    summary: 'Puts a user into a group',
    action: 'users.manage',
    input: memberParams,
    output: done,
    status: 200,
    change: ({ name, user }) => ({ group: name, user }),
    async run({ name, user }, { parts }) {
      await parts.accounts.joinGroup(name, user);
      return { name };
    },
  }),
  operation({
    id: 'group.leave',
    method: 'delete',
    path: '/groups/{name}/members/{user}',
    summary: 'Takes a user out of a group',
    action: 'users.manage',
    input: memberParams,
    output: done,
    status: 200,
    change: ({ name, user }) => ({ group: name, user }),
    async run({ name, user }, { parts }) {
      await parts.accounts.leaveGroup(name, user);
      return { name };
    },
  }),
];
