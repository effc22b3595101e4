import type { Access } from '../auth/index.ts';
import { parseReference, printReference, type Repository } from '../oci/index.ts';
import {
  type Authorization,
  authorize,
  BUILT_IN_ROLES,
  type Grant,
  grantsAbout,
  isLiveGrant,
  type Principal,
  parseAction,
  parseScopes,
  printScope,
  scopesHold,
} from '../roles/index.ts';
import type { ExplanationShape } from './contract.ts';
import { explainCertificates, explainPersonalToken, type Wish } from './explain-credentials.ts';
import { ApiProblem, type OperationContext } from './operation.ts';
import { printGrant } from './print-grant.ts';

interface Question {
  readonly principal: string;
  readonly action: string;
  readonly repository: Repository;
  readonly reference?: string | undefined;
  readonly scope?: string | undefined;
  readonly token?: string | undefined;
}

type Step = ExplanationShape['steps'][number];

/** Goes the way of a request without making one, and says at each step what decided. */
export async function explain(question: Question, context: OperationContext): Promise<ExplanationShape> {
  const action = parseAction(question.action);
  if (!action) throw new ApiProblem(400, 'DG_ACTION_UNKNOWN', `there is no action ${question.action}`);
  const { repository, reference } = question;
  const principal = await findPrincipal(question.principal, context);
  const access = await context.parts.accounts.readAccess(principal);
  const nowMs = context.parts.clock.nowMs();
  const wish = { principal, action, repository };
  const steps: Step[] = [
    explainAccount(principal, access, nowMs),
    explainRights(wish, access, nowMs),
    ...(await explainPersonalToken(question.token, wish, context)),
    ...explainToken(question.scope, wish),
    ...explainCertificates(principal, context),
  ];
  if (action === 'pull' && reference !== undefined) {
    steps.push(...(await explainImage(repository, reference, context)));
  }
  return {
    isAllowed: steps.every((step) => step.isPassed),
    steps,
    grants: grantsThatMatch(wish, access?.grants ?? [], nowMs),
  };
}

/** Every grant about it, with the one that decides: the first that denies, else the first that allows. */
function grantsThatMatch(
  { principal, action, repository }: Wish,
  grants: readonly Grant[],
  nowMs: number,
): ExplanationShape['grants'] {
  const ask = { grants, action, repository, nowMs };
  const { because } = authorize({ ...ask, principal, scopes: undefined });
  return grantsAbout(ask).map(({ grant, state }) => ({
    ...printGrant(grant),
    state,
    decides: grant === because,
  }));
}

/** Whether a token of these scopes would hold the action; it never gives what the grants do not. */
function explainToken(scope: string | undefined, { action, repository }: Wish): readonly Step[] {
  if (scope === undefined) return [];
  const parsed = parseScopes([scope]);
  if (!parsed.ok) throw new ApiProblem(400, 'DG_INPUT_INVALID', `scope: ${parsed.problem}`);
  const isPassed = scopesHold(parsed.scopes, action, repository);
  const held = parsed.scopes.map(printScope).join(' ') || 'nothing';
  const text = isPassed
    ? `the token holds it: ${held}`
    : `a token for ${held} does not hold ${action} on ${repository}: ask for one whose scope names it`;
  return [{ step: 'token', isPassed, text }];
}

async function findPrincipal(name: string, { parts }: OperationContext): Promise<Principal> {
  if (name === 'anonymous') return { kind: 'anonymous', id: '', name };
  const account =
    (await parts.accounts.findAccountByName('user', name)) ??
    (await parts.accounts.findAccountByName('robot', name));
  if (!account) throw new ApiProblem(404, 'DG_PRINCIPAL_UNKNOWN', `there is no user or robot ${name}`);
  return { kind: account.kind, id: account.id, name: account.name };
}

function explainAccount({ kind, name }: Principal, access: Access | undefined, nowMs: number): Step {
  const no = (text: string): Step => ({ step: 'account', isPassed: false, text });
  if (!access) return no(`${kind} ${name} is gone`);
  const expiresAtMs = access.expiresAtMs ?? Number.POSITIVE_INFINITY;
  if (expiresAtMs <= nowMs) {
    const end = new Date(expiresAtMs).toISOString();
    if (kind === 'user') {
      return no(
        `${name} was proved by another directory or provider until ${end}: it must sign in there again`,
      );
    }
    return no(`${kind} ${name} expired ${end}: remove it and add a new one`);
  }
  if (!access.isActive) {
    return no(`${kind} ${name} is disabled: \`dockgate user enable ${name}\` lets it in again`);
  }
  const text = kind === 'anonymous' ? 'nobody has signed in' : `${kind} ${name} is active`;
  return { step: 'account', isPassed: true, text };
}

function explainRights(wish: Wish, access: Access | undefined, nowMs: number): Step {
  const { principal, action, repository } = wish;
  const grants = access?.grants ?? [];
  const answer = authorize({ principal, grants, scopes: undefined, action, repository, nowMs });
  if (answer.isAllowed) {
    return {
      step: 'rights',
      isPassed: true,
      text: `${action} on ${repository} is given by ${giver(answer)}`,
    };
  }
  const { because } = answer;
  if (because) {
    const text = `${action} on ${repository} is denied by grant ${because.id}, ${because.role} on ${because.pattern}`;
    return { step: 'rights', isPassed: false, text: `${text}: remove it to allow` };
  }
  const live = grants.filter((grant) => isLiveGrant(grant, nowMs)).length;
  const given =
    live === 0 ? `no grant is given to ${principal.name}` : `none of its ${live} live grants holds`;
  const text = `${given}, so not ${action} on ${repository}: ${suggestion(wish)}`;
  return { step: 'rights', isPassed: false, text };
}

function giver({ because }: Authorization & { readonly isAllowed: true }): string {
  return because === 'local' ? 'local' : `grant ${because.id}, ${because.role} on ${because.pattern}`;
}

/** The smallest role of ours that would do. */
function suggestion({ action, repository, principal }: Wish): string {
  const role = BUILT_IN_ROLES.find(({ actions }) => actions.includes(action));
  if (!role) return `no built-in role holds ${action}: \`dockgate role put NAME ${action}\` makes one`;
  const to = principal.kind === 'anonymous' ? '--anonymous' : `--${principal.kind} ${principal.name}`;
  // Rights over the whole installation count on every repository only.
  const on = role.name === 'auditor' || role.name === 'admin' ? "'**'" : repository;
  return `\`dockgate grant add --role ${role.name} --on ${on} ${to}\` would allow it`;
}

async function explainImage(
  repository: Repository,
  referenceText: string,
  { parts }: OperationContext,
): Promise<readonly Step[]> {
  const reference = parseReference(referenceText);
  if (!reference) throw new ApiProblem(400, 'DG_INPUT_INVALID', 'reference: neither a tag nor a digest');
  const digest = await parts.registries.resolve(repository, reference);
  const printed = `${repository}${reference.kind === 'tag' ? ':' : '@'}${printReference(reference)}`;
  if (!digest) return [{ step: 'resolve', isPassed: false, text: `there is no ${printed}: push it first` }];
  const resolved: Step = { step: 'resolve', isPassed: true, text: `${printed} is ${digest}` };
  const verdict = await parts.verdicts.peek(repository, digest);
  if (verdict.outcome === 'allow') {
    const { warnings } = verdict;
    const count = warnings.length === 0 ? '' : `, with ${warnings.length} warnings (dockgate image show)`;
    return [resolved, { step: 'verdict', isPassed: true, text: `every matching policy admits it${count}` }];
  }
  const hint =
    verdict.outcome === 'unscanned'
      ? `; a pull waits for the scan, \`dockgate image scan ${printed}\` queues one now`
      : `; \`dockgate image show ${printed}\` lists what was found`;
  const reasons = verdict.reasons.map(({ policy, rule, text }) => ({
    step: 'verdict',
    isPassed: false,
    text: `${policy === '' ? '' : `policy ${policy}, `}rule ${rule}: ${text}${hint}`,
  }));
  return [resolved, ...reasons];
}
