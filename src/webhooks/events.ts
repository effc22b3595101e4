import type { AccessRecord } from '../audit/index.ts';
import { matchesPattern, parsePattern, type Repository } from '../oci/index.ts';
import type { Verdict } from '../policy/index.ts';
import type { NewMessage, Place, ScanNews, WebhookEvent } from './ports.ts';

/** What a webhook wants to hear of. */
export interface Wish {
  readonly name: string;
  readonly events: readonly WebhookEvent[];
  /** As in a grant: `team/**,!team/lab/**`. */
  readonly repositories: string;
  /** The same refusal of the same caller within this time is told once, in milliseconds. */
  readonly sameForMs: number;
}

/** Something that happened, before it is known who wants to hear of it. */
export interface Happening {
  /** Of the same thing always the same: a receiver that got it twice can tell. */
  readonly id: string;
  readonly event: WebhookEvent;
  readonly repository: Repository;
  readonly digest: string;
  readonly atMs: number;
  readonly data: Readonly<Record<string, unknown>>;
  /** The same again within the time counts once. */
  readonly sameness?: string;
}

const REASONS_MAX = 10;
const FINDINGS_MAX = 20;

/**
 * An answer that a policy refused.
 *
 * @returns `undefined` for every other record, and where its repository is none.
 */
export function blockedBy(record: AccessRecord, repository: Repository | undefined): Happening | undefined {
  const { action, outcome, digest, verdict, reason = '' } = record;
  if (action !== 'pull' || outcome !== 'refused' || !reason.startsWith('policy.')) return undefined;
  if (repository === undefined || digest === undefined || verdict?.outcome !== 'block') return undefined;
  const principal = record.principal && { kind: record.principal.kind, name: record.principal.name };
  const who = record.principal ? `${record.principal.kind} ${record.principal.id}` : 'anonymous';
  return {
    ...{ id: record.id, event: 'image.blocked', repository, digest, atMs: Date.parse(record.time) },
    data: {
      repository,
      ...(record.reference === undefined ? {} : { reference: record.reference }),
      digest,
      ...(principal === undefined ? {} : { principal }),
      reason,
      reasons: verdict.reasons.slice(0, REASONS_MAX).map((each) => ({
        ...each,
        findings: each.findings.slice(0, FINDINGS_MAX),
      })),
      requestId: record.requestId,
    },
    sameness: [repository, digest, who, reason].join('\n'),
  };
}

/** A scan that ended: one for each repository that holds the image. */
export function scannedIn(news: ScanNews): readonly Happening[] {
  const { digest, by, atMs, status, findings } = news;
  return news.repositories.map((repository) => ({
    ...{ id: `scan-${by}-${atMs}-${digest}-${repository}`, event: 'image.scanned', repository, digest, atMs },
    data: { repository, digest, scanner: by, status, findings },
  }));
}

/** An image that was admitted and is not any more. */
export function refusedNow({ repository, digest }: Place, verdict: Verdict, atMs: number): Happening {
  return {
    ...{
      id: `refused-${atMs}-${digest}-${repository}`,
      event: 'vulnerability.found',
      repository,
      digest,
      atMs,
    },
    data: {
      repository,
      digest,
      reasons: verdict.reasons.slice(0, REASONS_MAX).map(({ rule, policy, text, findings }) => ({
        ...{ rule, policy, text },
        findings: findings.slice(0, FINDINGS_MAX).map((finding) => ({
          ...{ id: finding.id, severity: finding.severity, package: finding.package },
          ...{ installedVersion: finding.installedVersion, fixedVersion: finding.fixedVersion },
        })),
        findingCount: findings.length,
      })),
    },
  };
}

/** A CloudEvents 1.0 document in JSON. @param source who says so, as a URL. */
export function printEvent(
  happened: {
    readonly id: string;
    readonly event: string;
    readonly atMs: number;
    readonly subject?: string;
    readonly data: Readonly<Record<string, unknown>>;
  },
  source: string,
): string {
  const { id, event, atMs, subject, data } = happened;
  return JSON.stringify({
    ...{ specversion: '1.0', id, source, type: event, time: new Date(atMs).toISOString() },
    ...(subject === undefined ? {} : { subject }),
    ...{ datacontenttype: 'application/json', data },
  });
}

/** One message for each webhook that wants to hear of it. */
export function messagesFor(
  happened: Happening,
  wishes: readonly Wish[],
  { source, nowMs }: { readonly source: string; readonly nowMs: number },
): readonly NewMessage[] {
  const { id, event, repository, digest, sameness } = happened;
  const wanted = wishes.filter(
    (wish) => wish.events.includes(event) && covers(wish.repositories, repository),
  );
  if (wanted.length === 0) return [];
  const body = printEvent({ ...happened, subject: `${repository}@${digest}` }, source);
  return wanted.map(({ name, sameForMs }) => ({
    ...{ id, webhook: name, event, body },
    ...(sameness === undefined ? {} : { once: { key: `${name}\n${sameness}`, untilMs: nowMs + sameForMs } }),
  }));
}

/** The configuration has read the pattern before; one that cannot be read covers nothing. */
function covers(text: string, repository: Repository): boolean {
  const result = parsePattern(text);
  return result.ok && matchesPattern(result.pattern, repository);
}
