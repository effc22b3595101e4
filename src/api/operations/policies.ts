import { z } from 'zod';
import { type Policy, parsePolicyDocument, printPolicyDocument, unknownSigners } from '../../policy/index.ts';
import type { PolicyVersion } from '../../verdicts/index.ts';
import {
  newPolicyDocumentShape,
  policyDocumentShape,
  policyParams,
  policyVersionParams,
  policyVersionShape,
} from '../contract.ts';
import { ApiProblem, operation } from '../operation.ts';
import type { ApiParts } from '../parts.ts';

/** Policies and their versions. */
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
    before: (input, { parts }) => {
      const policies = requirePolicies(input);
      requireSigners(policies, parts);
      return policiesBefore(
        policies.map(({ name }) => name),
        parts,
      );
    },
    change: (input) => input,
    async run(input, { parts, identity }) {
      const policies = requirePolicies(input);
      for (const policy of policies) await parts.facts.putPolicy(policy, 'api', identity.principal.name);
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
    before: ({ name }, { parts }) => policiesBefore([name], parts),
    change: ({ name }) => ({ policy: name }),
    async run({ name }, { parts, identity }) {
      if (!(await parts.facts.removePolicy(name, identity.principal.name))) {
        throw new ApiProblem(404, 'DG_POLICY_UNKNOWN', `there is no policy ${name}`);
      }
      return { name };
    },
  }),
  operation({
    id: 'policy.history',
    method: 'get',
    path: '/policies/{name}/versions',
    summary: 'Every version of a policy that there was, newest first; without `policy` where it was removed',
    action: 'policy.manage',
    input: policyParams,
    output: z.object({ versions: z.array(policyVersionShape) }),
    status: 200,
    run: async ({ name }, { parts }) => ({
      versions: (await parts.facts.listPolicyVersions(name)).map(printVersion),
    }),
  }),
  operation({
    id: 'policy.rollback',
    method: 'post',
    path: '/policies/{name}/versions/{version}/restore',
    summary: 'Makes an older version of a policy the newest one',
    action: 'policy.manage',
    input: policyVersionParams,
    output: z.object({ name: z.string(), restored: z.number() }),
    status: 200,
    async before(input, { parts }) {
      requireSigners([await requireVersion(input, parts)], parts);
      return policiesBefore([input.name], parts);
    },
    change: ({ name, version }) => ({ policy: name, version }),
    async run(input, { parts, identity }) {
      const policy = await requireVersion(input, parts);
      await parts.facts.putPolicy(policy, 'api', identity.principal.name);
      return { name: input.name, restored: input.version };
    },
  }),
];

/** The policies of these names as a document; `undefined`: there is none of them. */
async function policiesBefore(names: readonly string[], { facts }: ApiParts): Promise<unknown> {
  const known = (await facts.listPolicies()).filter(({ name }) => names.includes(name));
  return known.length === 0 ? undefined : printPolicyDocument(known);
}

/** The input was checked with the rest of it; a document that cannot be read would be a bug. */
function requirePolicies(input: unknown): readonly Policy[] {
  const parsed = parsePolicyDocument(input);
  if (!parsed.ok) throw new TypeError('a policy document that was checked cannot be read');
  return parsed.policies;
}

/** @throws {ApiProblem} a rule asks for somebody whom the configuration does not know. */
function requireSigners(policies: readonly Policy[], { signers }: ApiParts): void {
  const [first, ...more] = unknownSigners(policies, signers());
  if (!first) return;
  const others = more.length === 0 ? '' : ` (+${more.length} more)`;
  throw new ApiProblem(400, 'DG_SIGNER_UNKNOWN', `${first.path}: ${first.message}${others}`);
}

async function requireVersion(
  { name, version }: z.infer<typeof policyVersionParams>,
  { facts }: ApiParts,
): Promise<Policy> {
  const found = (await facts.listPolicyVersions(name)).find((one) => one.version === version);
  if (found?.policy) return found.policy;
  throw new ApiProblem(
    404,
    'DG_POLICY_UNKNOWN',
    found
      ? `version ${version} of policy ${name} is its removal: use policy remove`
      : `policy ${name} has no version ${version}`,
  );
}

function printVersion(one: PolicyVersion): z.infer<typeof policyVersionShape> {
  const [policy] = one.policy ? printPolicyDocument([one.policy]).policies : [];
  return {
    name: one.name,
    version: one.version,
    at: new Date(one.atMs).toISOString(),
    author: one.author,
    ...(policy ? { policy: { ...policy } } : {}),
  };
}
