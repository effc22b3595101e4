/** What may run: pure judgement of facts by policies. Entered by verdicts/, scanners/, store/, cluster/, gateway/, api/. */

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
