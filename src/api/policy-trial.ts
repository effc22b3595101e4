import type { IndexedRecord } from '../audit/index.ts';
import type { Identity } from '../auth/index.ts';
import { SECOND_MS } from '../base/index.ts';
import { type Digest, parseDigest, parseRepository, type Repository } from '../oci/index.ts';
import type { Policy, Verdict } from '../policy/index.ts';
import type { ApiParts } from './parts.ts';

/** Manifests that somebody got or was refused, by one digest in one repository. */
export interface Pulled {
  readonly repository: Repository;
  readonly digest: Digest;
  /** Tags by which it was asked for. */
  readonly tags: ReadonlySet<string>;
  readonly byPrincipal: ReadonlyMap<string, { readonly pulls: number; readonly refused: number }>;
  readonly lastAt: string;
}

export interface Tried extends Pulled {
  /** What would become of it: now admitted and then not, the other way round, or admitted as soon as it is scanned. */
  readonly change: 'blocked' | 'admitted' | 'unscanned';
  /** Under the policies in force, and under those on trial. */
  readonly before: Verdict;
  readonly after: Verdict;
}

export interface TrialPage {
  readonly changed: readonly Tried[];
  /** Images looked at, and pulls of them. */
  readonly images: number;
  readonly pulls: number;
  /** Where the next page goes on in the log. */
  readonly next?: number;
}

/** Searches of the log for one page: some thousand records and as many images, which is what is held at once. */
const SEARCHES_MAX = 4;
const RECORDS_MAX = 1000;
const PAGE_MS_MAX = SECOND_MS;
const TAGS_MAX = 10;

type Parts = Pick<ApiParts, 'records' | 'links' | 'directory' | 'trials' | 'facts' | 'clock'>;

/**
 * Judges what was pulled since then by the policies in force and by others, one page of the log at a time, the newest
 * first. Of what lies where the caller may not see verdicts, nothing is told, not even that it is there.
 */
export async function tryPolicies(
  asked: {
    readonly policies: readonly Policy[];
    readonly sinceMs: number;
    readonly beforeIndex?: number;
  },
  identity: Identity,
  parts: Parts,
): Promise<TrialPage> {
  const { pulled, next } = await readPulled(asked, parts);
  const inForce = parts.trials.under(await parts.facts.listPolicies());
  const onTrial = parts.trials.under(asked.policies);
  const changed: Tried[] = [];
  let images = 0;
  let pulls = 0;
  for (const one of pulled) {
    const { repository, digest } = one;
    if (!(await parts.directory.can(identity, 'verdict.read', repository)).isAllowed) continue;
    // Blobs are pulled as well, and follow their images.
    if (!(await parts.links.findManifest(repository, digest))) continue;
    images += 1;
    pulls += [...one.byPrincipal.values()].reduce((sum, { pulls }) => sum + pulls, 0);
    const before = await inForce(repository, digest);
    const after = await onTrial(repository, digest);
    const change = changeOf(before, after);
    if (change) changed.push({ ...one, change, before, after });
  }
  return { changed, images, pulls, ...(next === undefined ? {} : { next }) };
}

function changeOf(before: Verdict, after: Verdict): Tried['change'] | undefined {
  if ((before.outcome === 'allow') === (after.outcome === 'allow')) return undefined;
  if (after.outcome === 'allow') return 'admitted';
  return after.outcome === 'unscanned' ? 'unscanned' : 'blocked';
}

/** The policies of these names are replaced or left out; the others stay. */
export function policiesAfter(
  inForce: readonly Policy[],
  { policies, without }: { readonly policies: readonly Policy[]; readonly without: readonly string[] },
): readonly Policy[] {
  const gone = new Set([...without, ...policies.map(({ name }) => name)]);
  return [...inForce.filter(({ name }) => !gone.has(name)), ...policies];
}

async function readPulled(
  { sinceMs, beforeIndex }: { readonly sinceMs: number; readonly beforeIndex?: number },
  { records, clock }: Parts,
): Promise<{ readonly pulled: Iterable<Pulled>; readonly next?: number }> {
  const pulled = new Map<string, Counted>();
  const untilMs = clock.monotonicMs() + PAGE_MS_MAX;
  let next = beforeIndex;
  for (let search = 0; search < SEARCHES_MAX && clock.monotonicMs() < untilMs; search++) {
    const page = await records.search({
      ...{ action: 'pull', sinceMs, limit: RECORDS_MAX },
      ...(next === undefined ? {} : { beforeIndex: next }),
    });
    for (const one of page.records) count(pulled, one);
    next = page.next;
    if (next === undefined) break;
  }
  return { pulled: pulled.values(), ...(next === undefined ? {} : { next }) };
}

interface Counted extends Pulled {
  readonly tags: Set<string>;
  readonly byPrincipal: Map<string, { pulls: number; refused: number }>;
}

/** HEAD is a look and no pull; of what was refused, only what a policy refused could be admitted by another. */
function count(pulled: Map<string, Counted>, { record }: IndexedRecord): void {
  const { kind, method, outcome, reason, reference, principal } = record;
  const repository = parseRepository(record.repository ?? '');
  const digest = parseDigest(record.digest ?? '');
  if (kind !== 'decision' || method !== 'GET' || !repository || !digest) return;
  const isRefused = outcome === 'refused';
  if (isRefused && !reason?.startsWith('policy.')) return;
  const place = `${repository}@${digest}`;
  const one = pulled.get(place) ?? {
    ...{ repository, digest, lastAt: record.time },
    ...{ tags: new Set<string>(), byPrincipal: new Map() },
  };
  pulled.set(place, one);
  const isTag = reference !== undefined && parseDigest(reference) === undefined;
  if (isTag && one.tags.size < TAGS_MAX) one.tags.add(reference);
  const who = `${principal?.kind ?? 'anonymous'} ${principal?.name ?? ''}`.trim();
  const counts = one.byPrincipal.get(who) ?? { pulls: 0, refused: 0 };
  one.byPrincipal.set(who, counts);
  if (isRefused) counts.refused += 1;
  else counts.pulls += 1;
}
