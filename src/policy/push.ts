import type { Effective } from './effective.ts';
import { judgeShape, type Shape } from './shape-rules.ts';
import type { Reason } from './types.ts';
import { matchesAny } from './wildcard.ts';

/** What policies say against a manifest that is about to be pushed, before anything of it is kept. */
export interface PushOpinion {
  /** Of policies in mode enforce: one is enough to refuse the push. */
  readonly reasons: readonly Reason[];
  readonly warnings: readonly Reason[];
}

export function judgePush(effective: Effective, shape: Shape): PushOpinion {
  const all = effective.policies.flatMap((policy) =>
    judgeShape(policy.push ?? {}, shape)
      .flatMap((opinion) => opinion.reasons)
      .map(({ rule, text, findings }) => ({
        isWarning: policy.mode === 'warn',
        reason: { rule, policy: policy.name, text, findings },
      })),
  );
  return {
    reasons: all.filter((one) => !one.isWarning).map((one) => one.reason),
    warnings: all.filter((one) => one.isWarning).map((one) => one.reason),
  };
}

/** The policy in mode enforce under which the tag never changes once it exists; `undefined`: it may be overwritten. */
export function immutableBy(effective: Effective, tag: string): string | undefined {
  return effective.policies.find(
    ({ mode, push }) => mode !== 'warn' && push?.immutableTags && matchesAny(push.immutableTags, tag),
  )?.name;
}
