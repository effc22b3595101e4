import { z } from 'zod';
import { hashSecret, newRobotSecret } from '../../auth/index.ts';
import { newId, parseDuration } from '../../base/index.ts';
import { nameParams, newRobotShape, robotSecretShape, robotShape } from '../contract.ts';
import { ApiProblem, afterNow, type OperationContext, operation } from '../operation.ts';

async function findRobot(name: string, { parts }: OperationContext) {
  const robot = await parts.accounts.findAccountByName('robot', name);
  if (!robot) throw new ApiProblem(404, 'DG_ROBOT_UNKNOWN', `there is no robot ${name}`);
  return robot;
}

/** Robots: accounts of machines, whose secret is shown once. */
export const robotOperations = [
  operation({
    id: 'robot.list',
    method: 'get',
    path: '/robots',
    summary: 'All robots',
    action: 'users.manage',
    input: z.strictObject({}),
    output: z.object({ robots: z.array(robotShape) }),
    status: 200,
    async run(_input, { parts }) {
      const robots = await parts.accounts.listAccounts('robot');
      return {
        robots: robots.map((robot) => ({
          name: robot.name,
          isDisabled: robot.isDisabled,
          createdAt: new Date(robot.createdAtMs).toISOString(),
          ...(robot.expiresAtMs === undefined
            ? {}
            : { expiresAt: new Date(robot.expiresAtMs).toISOString() }),
        })),
      };
    },
  }),
  operation({
    id: 'robot.add',
    method: 'post',
    path: '/robots',
    summary: 'Adds a robot and answers its secret, this once',
    action: 'users.manage',
    input: newRobotShape,
    output: robotSecretShape,
    status: 201,
    change: ({ name, expires }) => ({ robot: name, expires: expires ?? 'never' }),
    async run({ name, expires }, { parts }) {
      const nowMs = parts.clock.nowMs();
      const lifeMs = expires === undefined ? undefined : parseDuration(expires);
      const secret = newRobotSecret(parts.random);
      await parts.accounts.addAccount({
        kind: 'robot',
        id: newId(parts.random),
        name,
        secretHash: hashSecret(secret),
        isDisabled: false,
        notBeforeMs: nowMs,
        createdAtMs: nowMs,
        ...(lifeMs === undefined ? {} : { expiresAtMs: nowMs + lifeMs }),
      });
      return { name, secret };
    },
  }),
  operation({
    id: 'robot.rotate',
    method: 'post',
    path: '/robots/{name}/rotate',
    summary: 'Gives a robot a new secret; the old one and its tokens die',
    action: 'users.manage',
    input: nameParams,
    output: robotSecretShape,
    status: 200,
    change: ({ name }) => ({ robot: name }),
    async run({ name }, context) {
      const robot = await findRobot(name, context);
      const { accounts, random } = context.parts;
      const secret = newRobotSecret(random);
      await accounts.setSecret(robot.id, hashSecret(secret), afterNow(context));
      return { name, secret };
    },
  }),
  operation({
    id: 'robot.remove',
    method: 'delete',
    path: '/robots/{name}',
    summary: 'Removes a robot with its grants',
    action: 'users.manage',
    input: nameParams,
    output: z.object({ name: z.string() }),
    status: 200,
    change: ({ name }) => ({ robot: name }),
    async run({ name }, context) {
      const robot = await findRobot(name, context);
      await context.parts.accounts.removeAccount(robot.id);
      return { name };
    },
  }),
];
