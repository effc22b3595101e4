import { type Digest, plainMessage, type Repository, shortDigest } from '../oci/index.ts';
import { dayOf } from './opinion.ts';
import type { Finding, Reason, Verdict } from './types.ts';

export interface Sentence {
  readonly repository: Repository;
  readonly digest: Digest;
  readonly verdict: Verdict;
  /** Under which the whole decision is found in the access log. */
  readonly decisionId: string;
}

/** Clients cut or wrap what is longer. */
const LENGTH_MAX = 300;
const REPOSITORY_LENGTH_MAX = 100;
const POLICY_LENGTH_MAX = 30;
const TEXT_LENGTH_MIN = 20;
const NAMED_COUNT_MAX = 3;

/**
 * The message of a refusal by policy: ASCII, at most 300 characters, begins with `dockgate: blocked`, ends with the
 * decision's id. What does not fit is left out from the least important on: contact, findings, text.
 */
export function refusalSentence(sentence: Sentence): string {
  const [reason] = sentence.verdict.reasons;
  return compose(`dockgate: blocked ${nameOf(sentence)}`, reason, sentence, sentence.verdict.contact);
}

/**
 * The value of a `Warning` header for a digest that is served although a policy in mode warn speaks against it;
 * `undefined` when none does.
 *
 * @see RFC 7234, 5.5: code 299, agent `-`, a quoted text.
 */
export function warningHeader(sentence: Sentence): string | undefined {
  const [reason] = sentence.verdict.warnings;
  if (!reason) return undefined;
  const text = compose(`dockgate: warning for ${nameOf(sentence)}`, reason, sentence, undefined);
  return `299 - "${text.replace(/["\\]/g, "'")}"`;
}

function compose(head: string, reason: Reason | undefined, sentence: Sentence, contact?: string): string {
  const tail = `; decision ${clip(plain(sentence.decisionId), 64)}`;
  const subject = reason ? ` by rule ${reason.rule}${ofPolicy(reason)}: ` : ': ';
  const room = LENGTH_MAX - head.length - subject.length - tail.length;
  const text = clip(plain(reason?.text ?? 'no policy admits it'), Math.max(room, TEXT_LENGTH_MIN));
  const findings = findingsThatFit(reason?.findings ?? [], room - text.length);
  const ask = contact === undefined ? '' : `; ask ${plain(contact)}`;
  const fits = text.length + findings.length + ask.length <= room;
  return `${head}${subject}${text}${findings}${fits ? ask : ''}${tail}`;
}

function nameOf({ repository, digest }: Sentence): string {
  return `${clip(repository, REPOSITORY_LENGTH_MAX)}@${shortDigest(digest)}`;
}

function ofPolicy(reason: Reason): string {
  return reason.policy === '' ? '' : ` of policy ${clip(plain(reason.policy), POLICY_LENGTH_MAX)}`;
}

/** Up to three findings, each named once, and how many more there are. */
function findingsThatFit(findings: readonly Finding[], room: number): string {
  const names = [...new Map(findings.map((finding) => [finding.id, nameFinding(finding)])).values()];
  for (let count = Math.min(NAMED_COUNT_MAX, names.length); count > 0; count--) {
    const more = names.length > count ? ` +${names.length - count} more` : '';
    const text = `: ${names.slice(0, count).join(', ')}${more}`;
    if (text.length <= room) return text;
  }
  return '';
}

function nameFinding({ id, fixedVersion, epss, exploitedSinceMs }: Finding): string {
  const more = [
    ...(exploitedSinceMs === undefined ? [] : [`in KEV since ${dayOf(exploitedSinceMs)}`]),
    ...(epss === undefined ? [] : [`EPSS ${epss.toFixed(2)}`]),
    ...(fixedVersion === undefined ? [] : [`fixed in ${clip(plain(fixedVersion), 24)}`]),
  ];
  return `${clip(plain(id), 48)}${more.length === 0 ? '' : ` (${more.join(', ')})`}`;
}

function plain(text: string): string {
  return plainMessage(text, LENGTH_MAX);
}

function clip(text: string, lengthMax: number): string {
  return text.length <= lengthMax ? text : `${text.slice(0, lengthMax - 3)}...`;
}
