import { type Refusal, refuse } from '../oci/index.ts';
import { faultFor, type WholeAnswer } from './answer.ts';

/**
 * Turns a "no" of the upstream into ours, by its status. The upstream's own sentence is left out: it may name
 * hosts and paths of the inside.
 *
 * @throws {UpstreamUnavailable} for a status that is no plain "no" to this question.
 */
export function refusalFor(answer: WholeAnswer, known: Readonly<Record<number, Refusal>>): Refusal {
  const refusal = known[answer.status];
  if (refusal) return refusal;
  if (answer.status === 403) {
    return refuse(
      'DENIED',
      'the registry behind this gateway does not let the gateway change this repository',
    );
  }
  throw faultFor(answer);
}
