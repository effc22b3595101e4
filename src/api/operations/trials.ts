import type { z } from 'zod';
import { DAY_MS } from '../../base/index.ts';
import { type Policy, parsePolicyDocument } from '../../policy/index.ts';
import { trialShape, tryPoliciesShape } from '../contract.ts';
import { ApiProblem, type OperationContext, operation } from '../operation.ts';
import { policiesAfter, type Tried, tryPolicies } from '../policy-trial.ts';
import { printVerdict } from './images.ts';

const SINCE_MS = 30 * DAY_MS;

/** What a policy would do, before it does it. */
export const trialOperations = [
  operation({
    id: 'policy.try',
    method: 'post',
    path: '/policy-trials',
    summary:
      'What of that which was pulled these policies would refuse or let through; changes nothing. Ask on from `next`',
    action: 'policy.manage',
    input: tryPoliciesShape,
    output: trialShape,
    status: 200,
    orElse: lacksToTry,
    note: ({ policies = [], without = [] }) =>
      `${policies.length} policies on trial, without ${without.join(', ') || 'none'}`,
    run: runTrial,
  }),
];

/** Whoever may see verdicts somewhere may try what becomes of them; only those are told. */
async function lacksToTry(
  _input: unknown,
  { parts, identity }: OperationContext,
): Promise<string | undefined> {
  const { grants } = await parts.directory.accessOf(identity.principal);
  const sees = grants.some(({ effect, actions }) => effect === 'allow' && actions.includes('verdict.read'));
  return sees ? undefined : `${identity.principal.name} has no grant for verdict.read on any repository`;
}

async function runTrial(
  input: z.infer<typeof tryPoliciesShape>,
  { parts, identity }: OperationContext,
): Promise<z.infer<typeof trialShape>> {
  const inForce = await parts.facts.listPolicies();
  const without = input.without ?? [];
  const unknown = without.find((name) => !inForce.some((policy) => policy.name === name));
  if (unknown !== undefined) throw new ApiProblem(404, 'DG_POLICY_UNKNOWN', `there is no policy ${unknown}`);
  const policies = readPolicies(input);
  const sinceMs = input.since === undefined ? parts.clock.nowMs() - SINCE_MS : Date.parse(input.since);
  const page = await tryPolicies(
    {
      policies: policiesAfter(inForce, { policies, without }),
      sinceMs,
      ...(input.before === undefined ? {} : { beforeIndex: input.before }),
    },
    identity,
    parts,
  );
  const { isAllowed: seesNames } = await parts.directory.can(identity, 'audit.read', undefined);
  return {
    since: new Date(sinceMs).toISOString(),
    changed: page.changed.map((one) => printTried(one, seesNames)),
    images: page.images,
    pulls: page.pulls,
    ...(page.next === undefined ? {} : { next: page.next }),
  };
}

/** The input was checked with the rest of it. Enforced, a policy that would only warn shows what it would refuse. */
function readPolicies({ policies = [], enforced }: z.infer<typeof tryPoliciesShape>): readonly Policy[] {
  const parsed = parsePolicyDocument({ policies });
  if (!parsed.ok) throw new TypeError('a policy document that was checked cannot be read');
  return parsed.policies.map((policy) => (enforced ? { ...policy, mode: 'enforce' } : policy));
}

/** Who pulled is told to those who may read the access log; others are told how many they were. */
function printTried(one: Tried, seesNames: boolean): z.infer<typeof trialShape>['changed'][number] {
  const principals = [...one.byPrincipal].map(([name, counts]) => ({ name, ...counts }));
  const sum = (which: 'pulls' | 'refused') => principals.reduce((total, counts) => total + counts[which], 0);
  return {
    repository: one.repository,
    digest: one.digest,
    tags: [...one.tags],
    change: one.change,
    before: printVerdict(one.before),
    after: printVerdict(one.after),
    pulls: sum('pulls'),
    refused: sum('refused'),
    lastAt: one.lastAt,
    ...(seesNames ? { principals } : {}),
  };
}
