import { z } from 'zod';
import { newId } from '../../base/index.ts';
import { parseDigest } from '../../oci/index.ts';
import { type Policy, parsePolicyDocument, printPolicyDocument, type Waiver } from '../../policy/index.ts';
import {
  newPolicyDocumentShape,
  newWaiverShape,
  policyDocumentShape,
  policyParams,
  waiverShape,
} from '../contract.ts';
import { ApiProblem, operation } from '../operation.ts';

/** Policies and waivers. */
export const policyOperations = [
  operation({
    id: 'policy.list',
    method: 'get',
    path: '/policies',
    summary: 'All policies, as the document that would set them',
    action: 'signed-in',
    input: z.strictObject({}),
    output: policyDocumentShape,
    status: 200,
    run: async (_input, { parts }) => ({
      policies: [...printPolicyDocument(await parts.facts.listPolicies()).policies],
    }),
  }),
  operation({
    id: 'policy.apply',
    method: 'put',
    path: '/policies',
    summary: 'Sets the policies of a document; those it does not name stay as they are',
    action: 'policy.manage',
    input: newPolicyDocumentShape,
    output: z.object({ applied: z.array(z.string()) }),
    status: 200,
    change: (input) => input,
    async run(input, { parts }) {
      const policies = requirePolicies(input);
      for (const policy of policies) await parts.facts.putPolicy(policy, 'api');
      return { applied: policies.map((policy) => policy.name) };
    },
  }),
  operation({
    id: 'policy.remove',
    method: 'delete',
    path: '/policies/{name}',
    summary: 'Removes a policy; a repository that none matches any more is refused',
    action: 'policy.manage',
    input: policyParams,
    output: z.object({ name: z.string() }),
    status: 200,
    change: ({ name }) => ({ policy: name }),
    async run({ name }, { parts }) {
      if (!(await parts.facts.removePolicy(name))) {
        throw new ApiProblem(404, 'DG_POLICY_UNKNOWN', `there is no policy ${name}`);
      }
      return { name };
    },
  }),
  operation({
    id: 'waiver.list',
    method: 'get',
    path: '/waivers',
    summary: 'All waivers, ended ones included',
    action: 'policy.manage',
    input: z.strictObject({}),
    output: z.object({ waivers: z.array(waiverShape) }),
    status: 200,
    run: async (_input, { parts }) => ({ waivers: (await parts.facts.listWaivers()).map(printWaiver) }),
  }),
  operation({
    id: 'waiver.add',
    method: 'post',
    path: '/waivers',
    summary: 'Excuses one finding on one digest or pattern until a date',
    action: 'policy.manage',
    input: newWaiverShape,
    output: z.object({ id: z.string() }),
    status: 201,
    change: (input) => input,
    async run(input, { parts, identity }) {
      const waiver = toWaiver(input, newId(parts.random), identity.principal.name);
      if (waiver.endsAtMs <= parts.clock.nowMs()) {
        throw new ApiProblem(400, 'DG_INPUT_INVALID', 'endsAt: lies in the past');
      }
      await parts.facts.addWaiver(waiver);
      return { id: waiver.id };
    },
  }),
  operation({
    id: 'waiver.remove',
    method: 'delete',
    path: '/waivers/{id}',
    summary: 'Ends a waiver now',
    action: 'policy.manage',
    input: z.strictObject({ id: z.string().max(64) }),
    output: z.object({ id: z.string() }),
    status: 200,
    change: ({ id }) => ({ waiver: id }),
    async run({ id }, { parts }) {
      if (!(await parts.facts.removeWaiver(id))) {
        throw new ApiProblem(404, 'DG_WAIVER_UNKNOWN', `there is no waiver ${id}`);
      }
      return { id };
    },
  }),
];

/** The input was checked with the rest of it; a document that cannot be read would be a bug. */
function requirePolicies(input: unknown): readonly Policy[] {
  const parsed = parsePolicyDocument(input);
  if (!parsed.ok) throw new TypeError('a policy document that was checked cannot be read');
  return parsed.policies;
}

function toWaiver(input: z.infer<typeof newWaiverShape>, id: string, author: string): Waiver {
  const digest = input.digest === undefined ? undefined : parseDigest(input.digest);
  return {
    id,
    finding: input.finding,
    reason: input.reason,
    author,
    endsAtMs: Date.parse(input.endsAt),
    ...(digest ? { digest } : {}),
    ...(input.on === undefined ? {} : { pattern: input.on }),
  };
}

function printWaiver(waiver: Waiver): z.infer<typeof waiverShape> {
  return {
    id: waiver.id,
    finding: waiver.finding,
    reason: waiver.reason,
    author: waiver.author,
    endsAt: new Date(waiver.endsAtMs).toISOString(),
    ...(waiver.digest ? { digest: waiver.digest } : {}),
    ...(waiver.pattern === undefined ? {} : { on: waiver.pattern }),
  };
}
