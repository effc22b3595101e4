import { type Clock, MiB, SECOND_MS } from '../base/index.ts';
import type { Page } from '../content/index.ts';
import {
  type JsonValue,
  parseRepository,
  parseStrictJson,
  parseTag,
  type Repository,
  type Tag,
} from '../oci/index.ts';
import { bodyLengthOf, faultFor, memberOf, type WholeAnswer } from './answer.ts';
import type { Client } from './client.ts';
import { upstreamBroken } from './faults.ts';
import { scopeOf } from './paths.ts';

/** What docker-registry 2.8.2 gives at most; it answers 400 to more. */
const ENTRIES_PER_ANSWER = 1000;
const LIST_BYTES_MAX = 16 * MiB;
const ENTRIES_MAX = 200_000;
const ANSWERS_MAX = 1000;
/** How long the next pages of the catalog are cut from one reading. The first page is always read afresh. */
const READING_MS = 5 * SECOND_MS;

/**
 * Tags and repositories in byte order, page by page. Registries sort in other orders (docker-registry's
 * catalog puts `a/b` before `a-b`), some ignore `n` and `last`: so a list is read whole, sorted here, and cut
 * here.
 */
export interface Lists {
  /** @returns `undefined` when the upstream knows no such repository. */
  tags(repository: Repository, page: Page): Promise<readonly Tag[] | undefined>;
  repositories(page: Page): Promise<readonly Repository[]>;
}

export function createLists(client: Client, clock: Clock): Lists {
  let reading: { readonly entries: readonly Repository[]; readonly untilMs: number } | undefined;

  async function catalog(page: Page): Promise<readonly Repository[]> {
    if (page.last === undefined || !reading || clock.monotonicMs() >= reading.untilMs) {
      const entries = (await readAll(client, CATALOG)) ?? [];
      reading = { entries, untilMs: clock.monotonicMs() + READING_MS };
    }
    return reading.entries;
  }

  return {
    async tags(repository, page) {
      const entries = await readAll(client, tagsOf(repository));
      return entries && cut(entries, page);
    },
    repositories: async (page) => cut(await catalog(page), page),
  };
}

interface List<T> {
  readonly path: string;
  readonly member: string;
  readonly scope: string;
  readonly parse: (text: string) => T | undefined;
}

const CATALOG: List<Repository> = {
  path: '/v2/_catalog',
  member: 'repositories',
  scope: 'registry:catalog:*',
  parse: parseRepository,
};

function tagsOf(repository: Repository): List<Tag> {
  return {
    path: `/v2/${repository}/tags/list`,
    member: 'tags',
    scope: scopeOf(repository, 'pull'),
    parse: parseTag,
  };
}

function cut<T extends string>(entries: readonly T[], page: Page): readonly T[] {
  const { last } = page;
  const first = last === undefined ? 0 : entries.findIndex((entry) => entry > last);
  return first < 0 ? [] : entries.slice(first, first + page.limit);
}

async function readAll<T extends string>(client: Client, list: List<T>): Promise<readonly T[] | undefined> {
  const entries = new Set<T>();
  let last: string | undefined;
  for (let answers = 0; answers < ANSWERS_MAX; answers += 1) {
    const query = new URLSearchParams({
      n: String(ENTRIES_PER_ANSWER),
      ...(last === undefined ? {} : { last }),
    });
    const answer = await client.fetch({
      method: 'GET',
      path: `${list.path}?${query}`,
      scopes: [list.scope],
      bytesMax: LIST_BYTES_MAX,
    });
    if (answer.status === 404) return undefined;
    if (answer.status !== 200) throw faultFor(answer);
    for (const text of textsIn(answer, list.member)) {
      // What is no name by the spec could not be asked for either.
      const entry = list.parse(text);
      if (entry !== undefined) entries.add(entry);
    }
    if (entries.size > ENTRIES_MAX) break;
    const next = nextLast(answer);
    if (next === undefined || next === last) return [...entries].sort(byBytes);
    last = next;
  }
  throw upstreamBroken('a list without end');
}

/** The alphabets of tags and names are ASCII, so the order of code units is that of bytes. */
function byBytes(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

/**
 * @throws {UpstreamUnavailable} not the JSON that the spec describes. `null` is what Go prints for no
 * entries.
 */
function textsIn(answer: WholeAnswer, member: string): readonly string[] {
  bodyLengthOf(answer);
  const json = parseStrictJson(answer.bytes);
  const list: JsonValue | undefined = json.ok ? memberOf(json.value, member) : undefined;
  if (list === null) return [];
  if (!Array.isArray(list) || !list.every((entry): entry is string => typeof entry === 'string')) {
    throw upstreamBroken('a list that is none');
  }
  return list;
}

/**
 * Of the Link header only the `last` of its `rel="next"` is taken; where it points does not matter (P-06).
 */
export function nextLast(answer: WholeAnswer): string | undefined {
  const link: string | string[] | undefined = answer.headers.link;
  const text = Array.isArray(link) ? link.join(', ') : (link ?? '');
  const address = /<([^<>]*)>\s*;\s*rel="?next"?/.exec(text)?.[1];
  if (address === undefined || !URL.canParse(address, 'http://upstream')) return undefined;
  return new URL(address, 'http://upstream').searchParams.get('last') ?? undefined;
}
