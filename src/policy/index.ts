/** What may run: pure judgement of facts by policies. Entered by verdicts/, scanners/, store/, cluster/, gateway/, api/. */

export type { PolicyDocument, Problem } from './document.ts';
export { parsePolicyDocument, printPolicyDocument } from './document.ts';
export type { Effective } from './effective.ts';
export { canonicalText, effectivePolicies } from './effective.ts';
export type { FeedWord } from './feed-rules.ts';
export { withFeedWords } from './feed-rules.ts';
export { UNWAIVABLE_RULES } from './findings.ts';
export { blockWithoutScanner, judge, judgeIndex, missingScanners, onlyWarns } from './judge.ts';
export type { Excuse, VexResult } from './openvex.ts';
export { parseOpenVex } from './openvex.ts';
export type { PushOpinion } from './push.ts';
export { immutableBy, judgePush } from './push.ts';
export type { Sentence } from './sentence.ts';
export { refusalSentence, warningHeader } from './sentence.ts';
export type { Shape } from './shape-rules.ts';
export { SHIPPED_POLICIES, shippedPolicies } from './shipped.ts';
export { unknownSigners } from './signers.ts';
export type {
  AttestationRule,
  Attested,
  Facts,
  FeedName,
  FeedState,
  Feeds,
  Finding,
  FindingKind,
  Package,
  Policy,
  PushRules,
  Reason,
  RuleName,
  Rules,
  Scan,
  Severity,
  Verdict,
  VulnerabilityRule,
  Waiver,
} from './types.ts';
export { FEED_NAMES, RULE_NAMES, SEVERITIES } from './types.ts';
