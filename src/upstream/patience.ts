import { type Clock, SECOND_MS } from '../base/index.ts';
import type { AnswerHeaders } from './answer.ts';
import { upstreamBusy } from './faults.ts';

/** How many questions of a kind are left, as the registry said last. */
export interface Limit {
  readonly limit: number;
  readonly remaining: number;
}

/** Keeps what a registry asks for: no question of a kind before its time is over. */
export interface Patience {
  /** @throws {UpstreamUnavailable} 429: it asked to be left alone with such questions, and for how long still. */
  refuseEarly(question: Question): void;
  /**
   * Takes in what an answer says of limits.
   * @throws {UpstreamUnavailable} it is a request for patience: 429, or 503 that says how long.
   */
  learn(question: Question, answer: { readonly status: number; readonly headers: AnswerHeaders }): void;
  /** Of the manifests that are read, where the registry counts those. */
  limit(): Limit | undefined;
}

interface Question {
  readonly method: string;
  readonly path: string;
}

const PAUSE_SECONDS = 5;
const PAUSE_SECONDS_MAX = 3600;

export function createPatience(clock: Clock): Patience {
  const untilMs = new Map<string, number>();
  let known: Limit | undefined;
  return {
    refuseEarly(question) {
      const restMs = (untilMs.get(kindOf(question)) ?? 0) - clock.monotonicMs();
      if (restMs > 0) throw upstreamBusy(429, String(Math.ceil(restMs / SECOND_MS)));
    },
    learn(question, { status, headers }) {
      known = limitIn(headers) ?? known;
      const seconds = secondsIn(headers['retry-after'], clock);
      const isBusy = status === 429 || (status === 503 && seconds !== undefined);
      if (isBusy) {
        const pause = Math.min(seconds ?? PAUSE_SECONDS, PAUSE_SECONDS_MAX);
        untilMs.set(kindOf(question), clock.monotonicMs() + pause * SECOND_MS);
        throw upstreamBusy(status, String(pause));
      }
      // None is left and the registry says until when: the next question would only be refused.
      const reset = secondsIn(text(headers['ratelimit-reset']), clock);
      if (question.method === 'GET' && limitIn(headers)?.remaining === 0 && reset !== undefined) {
        const pause = Math.min(reset, PAUSE_SECONDS_MAX);
        untilMs.set(kindOf(question), clock.monotonicMs() + pause * SECOND_MS);
      }
    },
    limit: () => known,
  };
}

/** Registries count kinds of questions apart: Docker Hub manifests that are read, not those that are looked up. */
function kindOf({ method, path }: Question): string {
  return `${method} ${/\/(manifests|blobs|tags|referrers)\//.exec(path)?.[1] ?? 'other'}`;
}

/** `100;w=21600`: the window is the registry's affair. @see docs.docker.com/docker-hub/usage/pulls */
function limitIn(headers: AnswerHeaders): Limit | undefined {
  const limit = /^(\d{1,9})(?:;|$)/.exec(text(headers['ratelimit-limit']) ?? '')?.[1];
  const remaining = /^(\d{1,9})(?:;|$)/.exec(text(headers['ratelimit-remaining']) ?? '')?.[1];
  return limit === undefined || remaining === undefined
    ? undefined
    : { limit: Number(limit), remaining: Number(remaining) };
}

function text(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' ? header : undefined;
}

/** Whole seconds, or a date that is still to come. @see RFC 9110, 10.2.3 */
function secondsIn(header: string | undefined, clock: Clock): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d{1,9}$/.test(header)) return Number(header);
  const atMs = /^[A-Z][a-z]+, .* GMT$/.test(header) ? Date.parse(header) : Number.NaN;
  const restSeconds = Math.ceil((atMs - clock.nowMs()) / SECOND_MS);
  return restSeconds > 0 ? restSeconds : undefined;
}
