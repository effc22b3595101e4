import { type Digest, type Refusal, type Repository, refuse } from '../oci/index.ts';
import { type Reason, refusalSentence, type Verdict } from '../policy/index.ts';
import type { DecisionFacts } from './plan.ts';

/**
 * These clients repeat a request three times on a code they do not know, and print DENIED plainly; all others print
 * IMAGE_BLOCKED better, since docker explains DENIED wrongly. Wording is the one thing a User-Agent may change.
 */
const KNOWS_ONLY_DENIED = /^(?:containers|skopeo|cri-o|buildah|libpod)\//i;

const RETRY_SECONDS_MIN = 2;
const RETRY_SECONDS_MAX = 15;

/** The answer to a pull that policy refuses: 403 with the sentence that says why. */
export function blockedRefusal(blocked: {
  readonly repository: Repository;
  readonly digest: Digest;
  readonly verdict: Verdict;
  readonly decisionId: string;
  readonly userAgent: string | undefined;
}): Refusal {
  const code = KNOWS_ONLY_DENIED.test(blocked.userAgent ?? '') ? 'DENIED' : 'IMAGE_BLOCKED';
  return refuse(code, refusalSentence(blocked), {
    detail: {
      decision: blocked.decisionId,
      repository: blocked.repository,
      digest: blocked.digest,
      reasons: blocked.verdict.reasons,
      ...(blocked.verdict.contact ? { contact: blocked.verdict.contact } : {}),
    },
  });
}

/** The answer while a scan runs; a client that waits and asks again will see its end. */
export function scanRunningRefusal(repository: Repository, restMs: number): Refusal {
  const seconds = Math.min(RETRY_SECONDS_MAX, Math.max(RETRY_SECONDS_MIN, Math.ceil(restMs / 1000)));
  return refuse(
    'TOOMANYREQUESTS',
    `dockgate: ${repository} is being scanned, try again in ${seconds} seconds`,
    {
      headers: { 'retry-after': String(seconds) },
      detail: { retryAfterSeconds: seconds },
    },
  );
}

/** A verdict as the access log keeps it: ids, no prose. */
export function recordedVerdict(verdict: Verdict): NonNullable<DecisionFacts['verdict']> {
  const findingsMax = 20;
  return {
    outcome: verdict.outcome,
    reasons: verdict.reasons.map((reason: Reason) => ({
      policy: reason.policy,
      rule: reason.rule,
      findings: reason.findings.slice(0, findingsMax).map((finding) => finding.id),
    })),
  };
}
