import { authorize, parseAction } from '../../roles/index.ts';
import { reviewQuery, reviewShape, whoCanQuery, whoCanShape } from '../contract.ts';
import { lacksToManage } from '../delegation.ts';
import { readHolders } from '../holders.ts';
import { ApiProblem, operation } from '../operation.ts';
import { printGrant } from '../print-grant.ts';
import { review } from '../review.ts';
import { requireRepository } from './images.ts';

/** Who can do what, and who holds what. */
export const accessOperations = [
  operation({
    id: 'access.who-can',
    method: 'get',
    path: '/access/who-can',
    summary: 'Every principal that may do something on a repository, with the grant that allows it',
    action: 'users.manage',
    orElse: ({ repository }, context) => lacksToManage(requireRepository(repository), context),
    input: whoCanQuery,
    output: whoCanShape,
    status: 200,
    subject: ({ repository }) => ({ repository: requireRepository(repository) }),
    note: ({ action }) => `who may ${action}`,
    async run(input, context) {
      const repository = requireRepository(input.repository);
      const action = parseAction(input.action);
      if (!action) throw new ApiProblem(400, 'DG_ACTION_UNKNOWN', `there is no action ${input.action}`);
      const nowMs = context.parts.clock.nowMs();
      const principals = (await readHolders(context)).flatMap(({ principal, state, held }) => {
        if (state !== 'active') return [];
        const grants = held.map(({ grant }) => grant);
        const answer = authorize({ principal, grants, scopes: undefined, action, repository, nowMs });
        if (!answer.isAllowed || answer.because === 'local') return [];
        return [{ kind: principal.kind, name: principal.name, because: printGrant(answer.because) }];
      });
      return { principals };
    },
  }),
  operation({
    id: 'access.review',
    method: 'get',
    path: '/access/review',
    summary: 'Who holds what, since when, and when it was last of use',
    action: 'users.manage',
    input: reviewQuery,
    output: reviewShape,
    status: 200,
    async run({ days }, context) {
      const { records, clock } = context.parts;
      const [holders, uses] = await Promise.all([readHolders(context), records.lastUses()]);
      return { held: [...review(holders, uses, { days, nowMs: clock.nowMs() })] };
    },
  }),
];
