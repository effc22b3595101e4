import type { Digest } from '../oci/index.ts';
import type { Effective } from './effective.ts';
import { NEVER_MS, type Opinion, opinionsOf } from './rules.ts';
import type { Facts, Policy, Reason, Verdict } from './types.ts';

interface PolicyOpinion {
  readonly policy: Policy;
  readonly opinions: readonly Opinion[];
}

/** The rules in the order in which a person should hear of them. */
const RULE_ORDER = [
  'unmatched',
  'malware',
  'secrets',
  'vulnerabilities',
  'misconfiguration',
  'age',
  'scanned',
];

/**
 * Judges one image or artifact. All policies apply and the strictest wins: whatever a policy in mode `enforce` says
 * against the digest counts; what one in mode `warn` says is passed on as a warning.
 *
 * Between `nowMs` and `validUntilMs` (exclusive) equal input gives the equal verdict.
 *
 * @param facts `undefined` when nothing is known of the digest: nothing was scanned.
 */
export function judge(
  facts: Facts | undefined,
  digest: Digest,
  effective: Effective,
  nowMs: number,
): Verdict {
  if (effective.policies.length === 0) return unmatched(digest);
  const all = opinions(facts, digest, effective, nowMs);
  // Whatever is not plainly a warning is enforced, so that a mode this version does not know opens nothing.
  const enforced = all.filter(({ policy }) => policy.mode !== 'warn');
  const against = enforced.flatMap((one) => one.opinions).flatMap((opinion) => opinion.reasons);
  const reasons = reasonsOf(enforced);
  return {
    digest,
    outcome: outcomeOf(against),
    reasons,
    warnings: reasonsOf(all.filter(({ policy }) => policy.mode === 'warn')),
    validUntilMs: Math.min(
      NEVER_MS,
      ...all.flatMap((one) => one.opinions).map((opinion) => opinion.changesAtMs),
    ),
    holdMs: Math.max(...effective.policies.map((policy) => policy.holdMs)),
    ...contactOf(effective.policies, reasons),
  };
}

/**
 * Scanners whose scan is missing or too old for a policy of this mode; `*` stands for any scanner. What an
 * `unscanned` verdict waits for, or what would turn a warning into knowledge.
 */
export function missingScanners(
  facts: Facts | undefined,
  digest: Digest,
  effective: Effective,
  nowMs: number,
): readonly { readonly scanner: string; readonly policy: Policy }[] {
  return opinions(facts, digest, effective, nowMs).flatMap(({ policy, opinions }) =>
    opinions.flatMap((opinion) => opinion.missing).map((scanner) => ({ scanner, policy })),
  );
}

/**
 * An `unscanned` verdict whose scan will never come, because no such scanner runs here, is a block: nobody should
 * wait for it.
 */
export function blockWithoutScanner(verdict: Verdict, scanner: string, policy: Policy): Verdict {
  const text = scanner === '*' ? 'no scanner is running here' : `scanner ${scanner} is not running here`;
  const reason: Reason = { rule: 'scanned', policy: policy.name, text, findings: [] };
  return { ...verdict, outcome: 'block', reasons: [reason, ...verdict.reasons] };
}

/**
 * Whether policies cover a repository and all of them only warn: then what there is nothing to judge by is served
 * as well (an index without children, a blob that waits for its manifest).
 */
export function onlyWarns({ policies }: Effective): boolean {
  return policies.length > 0 && policies.every((policy) => policy.mode === 'warn');
}

/**
 * Judges an index by the verdicts of its children that are present in the repository: one admitted child is enough,
 * since each is judged again when it is asked for.
 *
 * @param children of images and nested indexes; attestations that hang beside them are left out by the caller.
 */
export function judgeIndex(digest: Digest, children: readonly Verdict[], effective: Effective): Verdict {
  const admitted = children.find((child) => child.outcome === 'allow');
  const decisive = admitted ?? children.find((child) => child.outcome === 'unscanned') ?? children[0];
  if (!decisive) return withoutChildren(digest, effective);
  return {
    ...decisive,
    digest,
    holdMs: Math.max(...children.map((child) => child.holdMs)),
    validUntilMs: Math.min(...children.map((child) => child.validUntilMs)),
  };
}

function opinions(
  facts: Facts | undefined,
  digest: Digest,
  effective: Effective,
  nowMs: number,
): readonly PolicyOpinion[] {
  const one = { digest, facts, waivers: effective.waivers, nowMs };
  return effective.policies.map((policy) => ({ policy, opinions: opinionsOf(policy.rules, one) }));
}

function outcomeOf(against: readonly { readonly needsScan: boolean }[]): Verdict['outcome'] {
  if (against.length === 0) return 'allow';
  return against.every((reason) => reason.needsScan) ? 'unscanned' : 'block';
}

function reasonsOf(all: readonly PolicyOpinion[]): readonly Reason[] {
  return all
    .flatMap(({ policy, opinions }) =>
      opinions
        .flatMap((opinion) => opinion.reasons)
        .map(({ rule, text, findings }) => ({ rule, policy: policy.name, text, findings })),
    )
    .toSorted((left, right) => RULE_ORDER.indexOf(left.rule) - RULE_ORDER.indexOf(right.rule));
}

/** Whoever wrote the policy that refuses, else the first that names anybody. */
function contactOf(policies: readonly Policy[], reasons: readonly Reason[]): Pick<Verdict, 'contact'> {
  const refusing = policies.filter((policy) => reasons.some((reason) => reason.policy === policy.name));
  const contact = [...refusing, ...policies].find((policy) => policy.contact !== undefined)?.contact;
  return contact === undefined ? {} : { contact };
}

function unmatched(digest: Digest): Verdict {
  const text = 'no policy covers this repository; an administrator must add one that matches it';
  return {
    digest,
    outcome: 'block',
    reasons: [{ rule: 'unmatched', policy: '', text, findings: [] }],
    warnings: [],
    validUntilMs: NEVER_MS,
    holdMs: 0,
  };
}

function withoutChildren(digest: Digest, effective: Effective): Verdict {
  const text = 'the index names no image that is in this repository';
  const reason: Reason = { rule: 'scanned', policy: '', text, findings: [] };
  const mayPass = onlyWarns(effective);
  return {
    digest,
    outcome: mayPass ? 'allow' : 'block',
    reasons: mayPass ? [] : [reason],
    warnings: mayPass ? [reason] : [],
    validUntilMs: NEVER_MS,
    holdMs: 0,
  };
}
