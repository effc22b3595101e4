import encodeQR from 'qr';
import { z } from 'zod';
import {
  enrollmentShape,
  factorConfirmationShape,
  factorRemovalShape,
  nameParams,
  reauthenticationShape,
  recoveryShape,
  roleFactorShape,
} from '../contract.ts';
import { ApiProblem, afterNow, operation } from '../operation.ts';
import { requirePassword } from '../reauthenticate.ts';
import { findUser } from './people.ts';

const done = z.object({ name: z.string() });

/** Second factors: enrolment by their owners, reset by admins, and which roles ask for one. */
export const secondFactorOperations = [
  operation({
    id: 'second-factor.enroll',
    method: 'post',
    path: '/second-factor/enroll',
    summary: 'Begins the enrolment of an authenticator app; answers its seed, this once',
    action: 'person',
    input: reauthenticationShape,
    output: enrollmentShape,
    status: 200,
    change: () => ({ secondFactor: 'enrolment begun' }),
    async run(input, context) {
      await requirePassword(input, context);
      const { seed, uri } = await context.parts.secondFactor.enroll(context.identity.principal);
      return { seed, uri, svg: encodeQR(uri, 'svg') };
    },
  }),
  operation({
    id: 'second-factor.confirm',
    method: 'post',
    path: '/second-factor/confirm',
    summary: 'Puts the enrolled app in force and answers ten recovery codes, this once; earlier sessions end',
    action: 'person',
    input: factorConfirmationShape,
    output: recoveryShape,
    status: 200,
    change: () => ({ secondFactor: 'on' }),
    async run({ code, ...shown }, context) {
      await requirePassword(shown, context);
      const codes = await context.parts.secondFactor.confirm(context.identity.principal.id, code);
      if (!codes) {
        throw new ApiProblem(400, 'DG_INPUT_INVALID', 'code: is not the one that the app shows now');
      }
      return { recoveryCodes: [...codes] };
    },
  }),
  operation({
    id: 'second-factor.disable',
    method: 'post',
    path: '/second-factor/disable',
    summary: "Takes the caller's second factor away; needs the password and a code",
    action: 'person',
    input: factorRemovalShape,
    output: done,
    status: 200,
    change: () => ({ secondFactor: 'off' }),
    async run(input, context) {
      await requirePassword(input, context);
      const { id, name } = context.identity.principal;
      await context.parts.accounts.removeFactor(id, afterNow(context));
      return { name };
    },
  }),
  operation({
    id: 'user.second-factor.reset',
    method: 'delete',
    path: '/users/{name}/second-factor',
    summary: 'Takes the second factor of somebody who lost it away; sessions end',
    action: 'users.manage',
    input: nameParams,
    output: done,
    status: 200,
    change: ({ name }) => ({ user: name, secondFactor: 'off' }),
    async run({ name }, context) {
      const user = await findUser(name, context);
      await context.parts.accounts.removeFactor(user.id, afterNow(context));
      return { name };
    },
  }),
  operation({
    id: 'role.second-factor',
    method: 'put',
    path: '/roles/{name}/second-factor',
    summary: 'Whether what a role gives counts for people with a second factor only',
    action: 'users.manage',
    input: z.strictObject({ ...nameParams.shape, ...roleFactorShape.shape }),
    output: done,
    status: 200,
    change: ({ name, isRequired }) => ({ role: name, needsSecondFactor: isRequired }),
    async run({ name, isRequired }, { parts }) {
      await parts.accounts.setRoleFactor(name, isRequired);
      return { name };
    },
  }),
];
