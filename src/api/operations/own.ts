import { z } from 'zod';
import { ApiProblem, afterNow, operation } from '../operation.ts';
import { requirePassword } from '../reauthenticate.ts';
import { hashNewPassword } from './people.ts';

/** What everybody may do to the own account. */
export const ownOperations = [
  operation({
    id: 'me.passwd',
    method: 'put',
    path: '/me/password',
    summary: "Sets the caller's own password; every token of the old one dies, the caller's too",
    action: 'signed-in',
    input: z.strictObject({
      oldPassword: z.string().min(1).max(1024),
      password: z.string().min(1).max(1024),
      code: z.string().min(1).max(40).optional(),
    }),
    output: z.object({ name: z.string() }),
    status: 200,
    change: () => ({ password: 'own' }),
    async run({ oldPassword, code, password }, context) {
      const { parts, identity } = context;
      const { kind, id, name } = identity.principal;
      if (kind !== 'user') {
        throw new ApiProblem(409, 'DG_NO_PASSWORD', `only people have a password; you are ${kind} ${name}`);
      }
      await requirePassword({ password: oldPassword, code }, context);
      const secretHash = await hashNewPassword({ name, password }, context);
      await parts.accounts.setSecret(id, secretHash, afterNow(context));
      return { name };
    },
  }),
];
