import { z } from 'zod';
import { type Account, expiryWarning, hashSecret, newRobotSecret } from '../../auth/index.ts';
import { newId, parseDuration } from '../../base/index.ts';
import {
  nameParams,
  newRobotShape,
  type RobotShape,
  robotSecretShape,
  robotShape,
  rotationShape,
} from '../contract.ts';
import { ApiProblem, afterNow, type OperationContext, operation } from '../operation.ts';
import { previousUntil } from './tokens.ts';

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
        robots: robots.map((robot) => printRobot(robot, parts.clock.nowMs())),
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
    summary: 'Gives a robot a new secret; the old one and its tokens die, or after the overlap',
    action: 'users.manage',
    input: z.strictObject({ ...nameParams.shape, ...rotationShape.shape }),
    output: robotSecretShape,
    status: 200,
    change: ({ name, overlap }) => ({ robot: name, overlap: overlap ?? 'none' }),
    async run({ name, overlap }, context) {
      const robot = await findRobot(name, context);
      const { accounts, clock, random } = context.parts;
      const secret = newRobotSecret(random);
      const secretHash = hashSecret(secret);
      const previous = previousUntil(overlap, clock.nowMs());
      if (previous.previousUntilMs === undefined) {
        await accounts.setSecret(robot.id, secretHash, afterNow(context));
      } else {
        await accounts.rotateSecret(robot.id, { secretHash, ...previous });
      }
      return { name, secret };
    },
  }),
  ...(['disable', 'enable'] as const).map((word) =>
    operation({
      id: `robot.${word}`,
      method: 'post',
      path: `/robots/{name}/${word}`,
      summary: word === 'disable' ? 'Shuts a robot out at once, tokens included' : 'Lets a robot in again',
      action: 'users.manage',
      input: nameParams,
      output: z.object({ name: z.string() }),
      status: 200,
      change: ({ name }) => ({ robot: name, isDisabled: word === 'disable' }),
      async run({ name }, context) {
        const robot = await findRobot(name, context);
        await context.parts.accounts.setDisabled(robot.id, word === 'disable', afterNow(context));
        return { name };
      },
    }),
  ),
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

function printRobot(robot: Account, nowMs: number): RobotShape {
  const { name, isDisabled, createdAtMs, expiresAtMs, previous, lastUse } = robot;
  const warning =
    expiresAtMs === undefined
      ? undefined
      : expiryWarning({ what: `robot ${name}`, createdAtMs, expiresAtMs }, nowMs);
  return {
    name,
    isDisabled,
    createdAt: instant(createdAtMs),
    ...(expiresAtMs === undefined ? {} : { expiresAt: instant(expiresAtMs) }),
    ...(previous === undefined || nowMs >= previous.untilMs
      ? {}
      : { previousUntil: instant(previous.untilMs) }),
    ...(lastUse === undefined ? {} : { lastUsedAt: instant(lastUse.atMs), lastUsedFrom: lastUse.from }),
    ...(warning === undefined ? {} : { warning }),
  };
}

function instant(atMs: number): string {
  return new Date(atMs).toISOString();
}
