import type { AuditEntry } from '../audit/index.ts';
import type { Refusal } from '../oci/index.ts';
import type { Answer } from './answer.ts';

/** What a decision adds to the record beside who asked and what for. */
export type DecisionFacts = Pick<
  AuditEntry,
  'action' | 'reason' | 'repository' | 'reference' | 'digest' | 'because' | 'verdict' | 'isTransfer' | 'note'
>;

/**
 * The outcome of one request, decided and not yet acted on. The gateway records it, then acts or answers: a handler
 * never writes to the response, so none can forget the record.
 */
export type Plan =
  | {
      readonly isAllowed: true;
      readonly facts: DecisionFacts;
      /** Status that the decision says; where it turns out otherwise, a completion says so. */
      readonly status: number;
      /** Called once, after the record is durable. */
      readonly act: () => Promise<Answer | Refusal>;
    }
  | {
      readonly isAllowed: false;
      readonly facts: DecisionFacts;
      readonly refusal: Refusal;
      /** The credential was not looked at: recorded as what shows none, and not waited for. */
      readonly isUnread: boolean;
    };

export function allow(facts: DecisionFacts, status: number, act: () => Promise<Answer | Refusal>): Plan {
  return { isAllowed: true, facts, status, act };
}

export function deny(facts: DecisionFacts, refusal: Refusal, isUnread = false): Plan {
  return { isAllowed: false, facts, refusal, isUnread };
}
