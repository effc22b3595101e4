import { z } from 'zod';
import type { GrantPlace, NewGrant } from '../../auth/index.ts';
import { parseAction } from '../../roles/index.ts';
import {
  grantIdShape,
  grantRemovalShape,
  grantShape,
  nameParams,
  newGrantShape,
  roleActionsShape,
  roleShape,
} from '../contract.ts';
import { lacksToGive, lacksToTake, managesAll, visibleGrants } from '../delegation.ts';
import { ApiProblem, operation } from '../operation.ts';
import type { ApiParts } from '../parts.ts';
import { printGrant } from '../print-grant.ts';

/** Roles and grants. */
export const rightsOperations = [
  operation({
    id: 'role.list',
    method: 'get',
    path: '/roles',
    summary: 'All roles with their actions',
    action: 'signed-in',
    input: z.strictObject({}),
    output: z.object({ roles: z.array(roleShape) }),
    status: 200,
    run: async (_input, { parts }) => ({
      roles: (await parts.accounts.listRoles()).map((role) => ({ ...role, actions: [...role.actions] })),
    }),
  }),
  operation({
    id: 'role.put',
    method: 'put',
    path: '/roles/{name}',
    summary: 'Adds a role or changes its actions, for everyone who holds it, at once',
    action: 'users.manage',
    input: z.strictObject({ ...nameParams.shape, ...roleActionsShape.shape }),
    output: z.object({ name: z.string() }),
    status: 200,
    before: ({ name }, { parts }) => roleBefore(name, parts),
    change: ({ name, actions }) => ({ role: name, actions }),
    async run({ name, actions }, { parts }) {
      // Checked with the rest of the input; this only gives the words their type.
      const known = actions.map(parseAction).filter((action) => action !== undefined);
      await parts.accounts.putRole({ name, actions: known });
      return { name };
    },
  }),
  operation({
    id: 'role.remove',
    method: 'delete',
    path: '/roles/{name}',
    summary: 'Removes a role that no grant uses',
    action: 'users.manage',
    input: nameParams,
    output: z.object({ name: z.string() }),
    status: 200,
    before: ({ name }, { parts }) => roleBefore(name, parts),
    change: ({ name }) => ({ role: name }),
    async run({ name }, { parts }) {
      await parts.accounts.removeRole(name);
      return { name };
    },
  }),
  operation({
    id: 'grant.list',
    method: 'get',
    path: '/grants',
    summary:
      'All grants; for who may not manage users: its own, and those on patterns where it manages grants',
    action: 'signed-in',
    input: z.strictObject({}),
    output: z.object({ grants: z.array(grantShape) }),
    status: 200,
    run: async (_input, context) => ({
      grants: (await visibleGrants(await context.parts.accounts.listGrants(), context)).map(printGrant),
    }),
  }),
  operation({
    id: 'grant.add',
    method: 'post',
    path: '/grants',
    summary: 'Gives a role on a repository pattern',
    action: 'users.manage',
    input: newGrantShape,
    output: grantIdShape,
    status: 201,
    change: (grant) => grant,
    orElse: (input, context) => lacksToGive(toGrant(input), context),
    async run(input, context) {
      const { accounts } = context.parts;
      const grant = toGrant(input);
      if (await managesAll(context)) return { id: await accounts.addGrant(grant) };
      return { id: await accounts.giveGrant(context.identity.principal, grant) };
    },
  }),
  operation({
    id: 'grant.remove',
    method: 'post',
    path: '/grants/remove',
    summary: 'Takes grants away, denying ones and dated ones included; the next request is refused',
    action: 'users.manage',
    input: grantRemovalShape,
    output: z.object({ isRemoved: z.boolean() }),
    status: 200,
    change: (grant) => grant,
    orElse: (input, context) => lacksToTake(toPlace(input), context),
    async run(input, context) {
      const { accounts } = context.parts;
      const place = toPlace(input);
      const isRemoved = (await managesAll(context))
        ? await accounts.removeGrant(place)
        : await accounts.takeGrant(context.identity.principal, place);
      if (!isRemoved) throw new ApiProblem(404, 'DG_GRANT_UNKNOWN', 'there is no such grant');
      return { isRemoved };
    },
  }),
];

/** A role as the record has it; `undefined`: there is none yet. */
async function roleBefore(name: string, { accounts }: ApiParts): Promise<unknown> {
  const role = (await accounts.listRoles()).find((one) => one.name === name);
  return role && { role: name, actions: [...role.actions] };
}

function toPlace({ role, on, subject }: z.infer<typeof grantRemovalShape>): GrantPlace {
  return { role, pattern: on, subject };
}

function toGrant(input: z.infer<typeof newGrantShape>): NewGrant {
  return {
    role: input.role,
    pattern: input.on,
    subject: input.subject,
    effect: input.effect,
    ...(input.from === undefined ? {} : { fromMs: Date.parse(input.from) }),
    ...(input.until === undefined ? {} : { untilMs: Date.parse(input.until) }),
  };
}
