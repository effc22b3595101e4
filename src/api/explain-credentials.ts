import type { CertificateRule, PersonalToken } from '../auth/index.ts';
import type { Repository } from '../oci/index.ts';
import { type Action, type Allowance, allowsAction, type Principal } from '../roles/index.ts';
import type { ExplanationShape } from './contract.ts';
import { ApiProblem, type OperationContext } from './operation.ts';

/** What somebody wants to do. */
export interface Wish {
  readonly principal: Principal;
  readonly action: Action;
  readonly repository: Repository;
}

type Step = ExplanationShape['steps'][number];

/**
 * What a personal access token leaves of its owner's rights. A robot's secret carries all of the robot's.
 * @param token by name or id; absent: the caller is not limited by one.
 * @throws {ApiProblem} the principal has no such token.
 */
export async function explainPersonalToken(
  token: string | undefined,
  { principal, action, repository }: Wish,
  { parts }: OperationContext,
): Promise<readonly Step[]> {
  if (token === undefined) return [];
  const all = principal.kind === 'user' ? await parts.accounts.listPersonalTokens(principal.id) : [];
  const found = all.find(({ id, name }) => id === token || name === token);
  if (!found) {
    const message = `${principal.kind} ${principal.name} has no personal access token ${token}`;
    throw new ApiProblem(404, 'DG_TOKEN_UNKNOWN', message);
  }
  const over = endOf(found, parts.clock.nowMs());
  if (over !== undefined) return [{ step: 'personal token', isPassed: false, text: over }];
  const isPassed = allowsAction(found.allows, action, repository);
  const may = `token ${found.name} may ${found.allows.map(printAllowance).join(', ')}`;
  const text = isPassed
    ? may
    : `${may}, so not ${action} on ${repository}: make one with \`dockgate token create NAME --allow '${action}:${repository}'\``;
  return [{ step: 'personal token', isPassed, text }];
}

function endOf({ name, expiresAtMs }: PersonalToken, nowMs: number): string | undefined {
  if (nowMs < expiresAtMs) return undefined;
  const end = new Date(expiresAtMs).toISOString();
  return `token ${name} ended ${end}: \`dockgate token rotate ${name}\` gives it a new secret and life`;
}

function printAllowance({ actions, pattern }: Allowance): string {
  return `${actions.join('+')} on ${pattern}`;
}

/** What client certificates mean for the principal, where they are asked for. */
export function explainCertificates(
  { kind, name }: Wish['principal'],
  { parts }: OperationContext,
): readonly Step[] {
  if (!parts.certificateRules || kind === 'anonymous') return [];
  const { use, rules } = parts.certificateRules;
  const own = rules.filter(({ account }) => account.kind === kind && account.name === name);
  const which = own.map(printRule).join(' or ');
  const step = (isPassed: boolean, text: string): readonly Step[] => [
    { step: 'certificate', isPassed, text },
  ];
  if (use === 'alone') {
    return own.length === 0 ? [] : step(true, `the certificate ${which} signs in as ${name} by itself, too`);
  }
  return own.length === 0
    ? step(
        false,
        `a certificate is needed beside every password and token, and no rule says which is of ${kind} ${name}: add one to clientCertificates.rules`,
      )
    : step(true, `beside the password or token the certificate ${which} must be shown`);
}

function printRule({ subject, name }: CertificateRule): string {
  return [subject, name].filter((text) => text !== undefined).join(' with ');
}
