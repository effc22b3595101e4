/** What may run: pure judgement of facts by policies. Entered by verdicts/, scanners/, store/, cluster/, gateway/, api/. */

export type { PolicyDocument, Problem } from './document.ts';
export { parsePolicyDocument, printPolicyDocument } from './document.ts';
export type { Effective } from './effective.ts';
export { canonicalText, effectivePolicies } from './effective.ts';
export { blockWithoutScanner, judge, judgeIndex, missingScanners, onlyWarns } from './judge.ts';
export type { Sentence } from './sentence.ts';
export { refusalSentence, warningHeader } from './sentence.ts';
export { SHIPPED_POLICIES } from './shipped.ts';
export type {
  Facts,
  Finding,
  FindingKind,
  Policy,
  Reason,
  RuleName,
  Rules,
  Scan,
  Severity,
  Verdict,
  Waiver,
} from './types.ts';
export { SEVERITIES } from './types.ts';
