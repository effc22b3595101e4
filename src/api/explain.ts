import { parseReference, printReference, type Repository } from '../oci/index.ts';
import { authorize, type Principal, parseAction, type RepositoryAction } from '../roles/index.ts';
import type { ExplanationShape } from './contract.ts';
import { ApiProblem, type OperationContext } from './operation.ts';

interface Question {
  readonly principal: string;
  readonly action: string;
  readonly repository: Repository;
  readonly reference?: string | undefined;
}

type Step = ExplanationShape['steps'][number];

/** Goes the way of a request without making one, and says at each step what decided. */
export async function explain(question: Question, context: OperationContext): Promise<ExplanationShape> {
  const steps: Step[] = [];
  const principal = await findPrincipal(question.principal, context);
  steps.push(await explainRights(question, principal, context));
  if (question.action === 'pull' && question.reference !== undefined) {
    steps.push(...(await explainImage(question.repository, question.reference, context)));
  }
  return { isAllowed: steps.every((step) => step.isPassed), steps };
}

async function findPrincipal(name: string, { parts }: OperationContext): Promise<Principal> {
  if (name === 'anonymous') return { kind: 'anonymous', id: '', name };
  const account =
    (await parts.accounts.findAccountByName('user', name)) ??
    (await parts.accounts.findAccountByName('robot', name));
  if (!account) throw new ApiProblem(404, 'DG_PRINCIPAL_UNKNOWN', `there is no user or robot ${name}`);
  return { kind: account.kind, id: account.id, name: account.name };
}

async function explainRights(
  question: Question,
  principal: Principal,
  { parts }: OperationContext,
): Promise<Step> {
  const action = parseAction(question.action);
  if (!action) throw new ApiProblem(400, 'DG_ACTION_UNKNOWN', `there is no action ${question.action}`);
  const access = await parts.accounts.readAccess(principal);
  if (!access?.isActive) {
    const text = `${principal.name} is disabled or expired: \`dockgate user enable ${principal.name}\` lets it in again`;
    return { step: 'account', isPassed: false, text };
  }
  const { repository } = question;
  const nowMs = parts.clock.nowMs();
  const answer = authorize({
    principal,
    grants: access.grants,
    scopes: undefined,
    action,
    repository,
    nowMs,
  });
  if (answer.isAllowed) {
    const by =
      answer.because === 'local'
        ? 'local'
        : `grant ${answer.because.id}: ${answer.because.role} on ${answer.because.pattern}`;
    return { step: 'rights', isPassed: true, text: `${action} on ${repository} is given by ${by}` };
  }
  const text = answer.because
    ? `${action} on ${repository} is denied by grant ${answer.because.id}: remove it to allow`
    : `none of ${access.grants.length} grants gives ${action} on ${repository}: ${suggestion(action as RepositoryAction, repository, principal)}`;
  return { step: 'rights', isPassed: false, text };
}

function suggestion(action: RepositoryAction, repository: Repository, principal: Principal): string {
  const role = action === 'pull' || action === 'list' ? 'reader' : 'developer';
  return `\`dockgate grant add --role ${role} --on ${repository} --${principal.kind} ${principal.name}\` would`;
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
    return [resolved, { step: 'verdict', isPassed: true, text: 'every matching policy admits it' }];
  }
  const reasons = verdict.reasons.map((reason) => ({
    step: 'verdict',
    isPassed: false,
    text: `policy ${reason.policy}, rule ${reason.rule}: ${reason.text}`,
  }));
  if (reasons.length > 0) return [resolved, ...reasons];
  const text = `not scanned yet: \`dockgate image scan ${printed}\` queues it`;
  return [resolved, { step: 'verdict', isPassed: false, text }];
}
