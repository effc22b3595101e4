import { z } from 'zod';
import { ApiProblem, afterNow, operation } from '../operation.ts';
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
    }),
    output: z.object({ name: z.string() }),
    status: 200,
    change: () => ({ password: 'own' }),
    async run({ oldPassword, password }, context) {
      const { parts, identity } = context;
      const { kind, id, name } = identity.principal;
      if (kind !== 'user') {
        throw new ApiProblem(409, 'DG_NO_PASSWORD', `only people have a password; you are ${kind} ${name}`);
      }
      // Whoever found a signed-in terminal has no password: guessing it here is counted like any other guess.
      const basic = Buffer.from(`${name}:${oldPassword}`).toString('base64');
      const proved = await parts.authenticator.authenticate({
        authorization: `Basic ${basic}`,
        source: `own password of ${id}`,
      });
      if (!proved.ok) {
        const isLimited = proved.refusal.status === 429;
        throw new ApiProblem(
          isLimited ? 429 : 403,
          isLimited ? 'DG_TOO_MANY_SIGN_INS' : 'DG_PASSWORD_WRONG',
          isLimited ? proved.refusal.message : 'the old password is not right',
          proved.refusal.headers,
        );
      }
      const secretHash = await hashNewPassword({ name, password }, context);
      await parts.accounts.setSecret(id, secretHash, afterNow(context));
      return { name };
    },
  }),
];
