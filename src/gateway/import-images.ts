import { type Digest, Fault, parseRepository, type Repository, type Tag } from '../oci/index.ts';
import type { FactReads, ScanRequests } from '../verdicts/index.ts';
import { type LoadedManifest, type LoadParts, loadManifest } from './load.ts';
import { remembersTags, rememberTag } from './resolve.ts';
import type { Located, Sources } from './sources.ts';

export type ImportParts = Omit<LoadParts, 'facts'> & {
  readonly facts: LoadParts['facts'] & Pick<FactReads, 'findFacts'>;
  readonly scans: Pick<ScanRequests, 'request'>;
};

/** What came of some tags of a repository. */
export interface Imported {
  readonly tags: number;
  /** Manifests that were read now, and those that were here already. */
  readonly added: number;
  readonly known: number;
  readonly failures: readonly { readonly reference: string; readonly problem: string }[];
  /** Go on after this one; absent: that was all, or nothing could be begun (`pause`). */
  readonly next?: Tag;
  /** The registry wants to be left alone, or does not answer: go on so much later. */
  readonly pause?: Pause;
}

interface Pause {
  readonly seconds: number;
  readonly problem: string;
  /** It answers, and asked for patience itself. */
  readonly isAsked: boolean;
}

const GONE = 'the tag leads nowhere';
const TAGS_MAX = 1000;
/** Tags that are looked at side by side: clients' pulls go to the same registry. */
const AT_ONCE = 3;
/** Indexes may list indexes; what lies deeper is read when somebody pulls it. */
const DEPTH_MAX = 4;
const PAUSE_SECONDS = 5;
const PAGE = 1000;

/**
 * Reads the tags of a repository before anybody pulls them: manifests are kept as at a first pull, and scans are asked
 * for behind all others. What is known already costs one question for its tag; a tag that fails holds up no other.
 *
 * @param after begins behind this tag, in byte order.
 * @param isOver looked at between tags.
 * @throws {Fault} the tags cannot be listed, for another reason than that the registry is away.
 */
export async function importTags(
  { repository, after, isOver }: ImportTask,
  parts: ImportParts,
): Promise<Imported | undefined> {
  const located = parts.sources.locate(repository);
  if (located?.source.kind !== 'upstream') return undefined;
  const count = { tags: 0, added: 0, known: 0, failures: [] as Imported['failures'][number][] };
  const begun = new Set<Digest>();
  let next = after;
  const pausedAt = (pause: Pause): Imported => ({ ...count, ...(next === undefined ? {} : { next }), pause });
  const listed = await orPause(async () =>
    located.source.listTags(located.name, { limit: TAGS_MAX, ...(after ? { last: after } : {}) }),
  );
  if ('pause' in listed) return pausedAt(listed.pause);
  if (listed.value === undefined) {
    const failures = [{ reference: '', problem: 'the registry knows no such repository' }];
    return { ...count, failures };
  }
  const tags = listed.value;
  await forgetUnlisted(parts, located, { repository, after, tags });
  for (let first = 0; first < tags.length; first += AT_ONCE) {
    if (first > 0 && isOver()) return { ...count, ...(next === undefined ? {} : { next }) };
    const group = tags.slice(first, first + AT_ONCE);
    const results = await Promise.all(
      group.map((tag) => importTag(parts, located, { repository, tag, begun })),
    );
    for (const result of results) {
      // The whole group is looked at again; what it brought is known by then.
      if ('pause' in result) return pausedAt(result.pause);
    }
    for (const result of results) {
      if ('pause' in result) continue;
      count.tags += 1;
      count.added += result.value.added;
      count.known += result.value.known;
      count.failures.push(...result.value.failures);
    }
    next = group.at(-1);
  }
  return { ...count, ...(tags.length === TAGS_MAX && next !== undefined ? { next } : {}) };
}

/** Tags that are remembered here between the first and the last of these, and that the registry has no more. */
async function forgetUnlisted(
  parts: ImportParts,
  located: Located,
  { repository, after, tags }: { repository: Repository; after: Tag | undefined; tags: readonly Tag[] },
): Promise<void> {
  if (!remembersTags(located)) return;
  const end = tags.length === TAGS_MAX ? tags.at(-1) : undefined;
  const held = new Set(tags);
  for (let last = after; ; ) {
    const page = await parts.links.listTags(repository, { limit: PAGE, ...(last ? { last } : {}) });
    for (const tag of page) {
      if (end !== undefined && tag > end) return;
      // One that was pushed here in this very moment is asked for again, no more.
      if (!held.has(tag)) await parts.linkWrites.removeTag(repository, tag);
    }
    if (page.length < PAGE) return;
    last = page.at(-1);
  }
}

export interface ImportTask {
  readonly repository: Repository;
  readonly after?: Tag;
  readonly isOver: () => boolean;
}

/**
 * What an exclusive registry's tag was thought to be, where the registry says otherwise: somebody wrote to it before it
 * was exclusive. Whichever is right, the next pull asks.
 */
async function forgetOther(
  parts: ImportParts,
  located: Located,
  { repository, tag, digest }: { repository: Repository; tag: Tag; digest: Digest },
): Promise<void> {
  if (!located.isExclusive) return;
  const known = await parts.links.findTag(repository, tag);
  if (known !== undefined && known !== digest) await parts.linkWrites.removeTag(repository, tag);
}

interface Walk {
  readonly repository: Repository;
  readonly seen: Set<Digest>;
  /** Of all tags of this run: what two that are looked at side by side share is new once. */
  readonly begun: Set<Digest>;
  added: number;
  known: number;
  readonly failures: { readonly reference: string; readonly problem: string }[];
}

async function importTag(
  parts: ImportParts,
  located: Located,
  { repository, tag, begun }: { repository: Repository; tag: Tag; begun: Set<Digest> },
): Promise<Outcome<Walk>> {
  const walk: Walk = { repository, seen: new Set(), begun, added: 0, known: 0, failures: [] };
  return orPause(async () => {
    try {
      const digest = await located.source.resolve(located.name, tag);
      if (digest === undefined) {
        walk.failures.push({ reference: tag, problem: GONE });
        return walk;
      }
      const manifest = await importManifest(parts, walk, digest, { reference: tag, depth: 0 });
      const reference = { kind: 'tag', tag } as const;
      if (manifest) {
        await forgetOther(parts, located, { repository, tag, digest });
        await rememberTag(parts, { repository, reference, digest, manifest });
      } else if (walk.failures.length === 0) walk.failures.push({ reference: tag, problem: GONE });
    } catch (error) {
      if (!(error instanceof Fault) || pauseOf(error)) throw error;
      walk.failures.push({ reference: tag, problem: error.message });
    }
    return walk;
  });
}

async function importManifest(
  parts: ImportParts,
  walk: Walk,
  digest: Digest,
  at: { readonly reference: string; readonly depth: number },
): Promise<LoadedManifest | undefined> {
  if (walk.seen.has(digest)) return undefined;
  walk.seen.add(digest);
  const { repository, begun } = walk;
  const isBegun = begun.has(digest);
  begun.add(digest);
  const isKnown = isBegun || (await parts.links.findManifest(repository, digest)) !== undefined;
  const loaded = await loadManifest(parts, repository, digest);
  if (loaded.kind === 'unreadable') {
    walk.failures.push({ reference: at.reference, problem: loaded.problem });
    return undefined;
  }
  // An index may list what its registry does not hold.
  if (loaded.kind === 'absent') return undefined;
  walk[isKnown ? 'known' : 'added'] += 1;
  const kind = (await parts.links.findManifest(repository, digest))?.kind;
  if (kind !== 'index') await askForScan(parts, repository, digest);
  for (const child of at.depth < DEPTH_MAX ? await parts.links.childrenOf(digest) : []) {
    const below = { reference: `${at.reference} (${child.digest})`, depth: at.depth + 1 };
    await importManifest(parts, walk, child.digest, below);
  }
  return loaded.manifest;
}

/** Behind every scan that somebody waits for; what has been scanned is kept fresh by others. */
async function askForScan(parts: ImportParts, repository: Repository, digest: Digest): Promise<void> {
  const facts = await parts.facts.findFacts(digest);
  if (!facts || facts.scans.length === 0) await parts.scans.request(repository, digest, 'rescan');
}

type Outcome<T> = { readonly value: T } | { readonly pause: Pause };

async function orPause<T>(work: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await work() };
  } catch (error) {
    const pause = pauseOf(error);
    if (!pause) throw error;
    return { pause };
  }
}

/** The faults after which the same question may be answered: no answer, not now, too many at once. */
function pauseOf(error: unknown): Pause | undefined {
  if (!(error instanceof Fault) || !AWAY.includes(error.code)) return undefined;
  const stated = Object.entries(error.headers).find(([name]) => name.toLowerCase() === 'retry-after')?.[1];
  const seconds = Number(stated);
  return {
    seconds: Number.isSafeInteger(seconds) && seconds > 0 ? seconds : PAUSE_SECONDS,
    problem: error.message,
    isAsked: error.status === 429,
  };
}

const AWAY: readonly string[] = ['DG_UPSTREAM_UNAVAILABLE', 'DG_UPSTREAM_CROWDED'];

/**
 * The repositories of the registries behind us whose names begin with `prefix`, in byte order; those of the embedded
 * registry were all pushed through here.
 *
 * @throws {Fault} a registry that could hold such names does not list them.
 */
export async function listUpstreamRepositories(
  sources: Sources,
  prefix: string,
): Promise<readonly Repository[]> {
  const names = new Set<Repository>();
  for (const entry of sources.all) {
    const mayHold = entry.prefix.startsWith(prefix) || prefix.startsWith(entry.prefix);
    if (entry.source.kind !== 'upstream' || !mayHold) continue;
    for (let last: Repository | undefined; ; ) {
      const page = await entry.source.listRepositories({ limit: PAGE, ...(last ? { last } : {}) });
      for (const name of page) {
        const full = parseRepository(`${entry.prefix}${name}`);
        if (full?.startsWith(prefix) && sources.locate(full)?.source === entry.source) names.add(full);
      }
      if (page.length < PAGE) break;
      last = page.at(-1);
    }
  }
  return [...names].sort();
}
