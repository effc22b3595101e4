import type { Digest } from '../oci/index.ts';
import type { Effective } from './effective.ts';
import { NEVER_MS, type Opinion } from './opinion.ts';
import { indexOpinionsOf, opinionsOf } from './rules.ts';
import { type Facts, type Policy, type Reason, RULE_NAMES, type RuleName, type Verdict } from './types.ts';

/** Names of results that are pushed begin with it. */
const PUSHED_PREFIX = 'ci-';

interface PolicyOpinion {
  readonly policy: Policy;
  readonly opinions: readonly Opinion[];
}

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
  if (facts?.denied !== undefined) return denied(digest, facts.denied);
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
    validUntilMs: Math.min(NEVER_MS, ...all.flatMap((one) => changesOf(one))),
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
  const text = whyNoScan(scanner);
  const reason: Reason = { rule: 'scanned', policy: policy.name, text, findings: [] };
  return { ...verdict, outcome: 'block', reasons: [reason, ...verdict.reasons] };
}

function whyNoScan(scanner: string): string {
  if (scanner === '*') return 'no scanner is running here';
  return scanner.startsWith(PUSHED_PREFIX)
    ? `no result of ${scanner} was pushed for it: dockgate scan push IMAGE FILE`
    : `scanner ${scanner} is not running here`;
}

/**
 * Whether policies cover a repository and all of them only warn: then what there is nothing to judge by is served
 * as well (an index without children, a blob that waits for its manifest).
 */
export function onlyWarns({ policies }: Effective): boolean {
  return policies.length > 0 && policies.every((policy) => policy.mode === 'warn');
}

/**
 * Judges an index: the rules about the index itself must hold (denied digests, signatures, attestations, media
 * types), and of its children that are present in the repository one must be admitted, since each is judged again
 * when it is asked for.
 *
 * @param children of images and nested indexes; attestations that hang beside them are left out by the caller.
 */
export function judgeIndex(
  digest: Digest,
  children: readonly Verdict[],
  effective: Effective,
  own: { readonly facts: Facts | undefined; readonly nowMs: number },
): Verdict {
  if (own.facts?.denied !== undefined) return denied(digest, own.facts.denied);
  const { waivers, registry } = effective;
  const one = { digest, facts: own.facts, waivers, nowMs: own.nowMs, registry };
  const all = effective.policies.map((policy) => ({ policy, opinions: indexOpinionsOf(policy, one) }));
  const verdict = ofChildren(digest, children, effective);
  const against = reasonsOf(all.filter(({ policy }) => policy.mode !== 'warn'));
  return {
    ...verdict,
    outcome: against.length === 0 ? verdict.outcome : 'block',
    reasons: [...against, ...verdict.reasons],
    warnings: [...reasonsOf(all.filter(({ policy }) => policy.mode === 'warn')), ...verdict.warnings],
    validUntilMs: Math.min(verdict.validUntilMs, ...all.flatMap((judged) => changesOf(judged))),
  };
}

function ofChildren(digest: Digest, children: readonly Verdict[], effective: Effective): Verdict {
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

function changesOf({ opinions }: PolicyOpinion): readonly number[] {
  return opinions.map((opinion) => opinion.changesAtMs);
}

function opinions(
  facts: Facts | undefined,
  digest: Digest,
  effective: Effective,
  nowMs: number,
): readonly PolicyOpinion[] {
  const { waivers, registry } = effective;
  const one = { digest, facts, waivers, nowMs, registry };
  return effective.policies.map((policy) => ({ policy, opinions: opinionsOf(policy, one) }));
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
    .toSorted((left, right) => RULE_NAMES.indexOf(left.rule) - RULE_NAMES.indexOf(right.rule));
}

/** Whoever wrote the policy that refuses, else the first that names anybody. */
function contactOf(policies: readonly Policy[], reasons: readonly Reason[]): Pick<Verdict, 'contact'> {
  const refusing = policies.filter((policy) => reasons.some((reason) => reason.policy === policy.name));
  const contact = [...refusing, ...policies].find((policy) => policy.contact !== undefined)?.contact;
  return contact === undefined ? {} : { contact };
}

/** By name, whatever policies say: also where they only warn, and where there is none. */
function denied(digest: Digest, why: string): Verdict {
  return refusedAlways(digest, 'denied', `an administrator denied it: ${why}`);
}

function unmatched(digest: Digest): Verdict {
  const text = 'no policy covers this repository; an administrator must add one that matches it';
  return refusedAlways(digest, 'unmatched', text);
}

function refusedAlways(digest: Digest, rule: RuleName, text: string): Verdict {
  return {
    digest,
    outcome: 'block',
    reasons: [{ rule, policy: '', text, findings: [] }],
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
