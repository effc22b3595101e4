import {
  type Digest,
  isRefusal,
  parseDigest,
  parseReference,
  parseRepository,
  parseTag,
  type Reference,
  type Refusal,
  type Repository,
  refuse,
  type Tag,
} from '../oci/index.ts';

/** One call of the distribution API, parsed once; nothing behind this file looks at the URL again. */
export type Route =
  | { readonly kind: 'base' }
  | { readonly kind: 'catalog'; readonly query: Query }
  | (InRepository & {
      /** The registry in whose place the client asks us (`ns`), as it wrote it. */
      readonly namespace?: string;
    });

type InRepository =
  | { readonly kind: 'tags'; readonly repository: Repository; readonly query: Query }
  | {
      readonly kind: 'manifest';
      readonly repository: Repository;
      readonly reference: Reference;
      /** Further tags of a push by digest (`?tag=`). */
      readonly tags: readonly Tag[];
    }
  | { readonly kind: 'blob'; readonly repository: Repository; readonly digest: Digest }
  | {
      readonly kind: 'referrers';
      readonly repository: Repository;
      readonly digest: Digest;
      readonly query: Query;
    }
  | { readonly kind: 'uploads'; readonly repository: Repository; readonly query: Query }
  | {
      readonly kind: 'upload';
      readonly repository: Repository;
      readonly session: string;
      readonly query: Query;
    };

/** Every key at most once, except `tag`. */
export type Query = ReadonlyMap<string, readonly string[]>;

const PATH_LENGTH_MAX = 4096;
const QUERY_LENGTH_MAX = 8192;
const QUERY_KEYS_MAX = 32;
/** What a path of the distribution API can hold once it is decoded; upload sessions are base64url. */
const PATH_CHARACTERS = /^[A-Za-z0-9._:/-]*$/;

/**
 * Parses the request target. Decoded once; what would decode to a separator, a percent sign or anything outside the
 * API's alphabet is refused, so that no one behind us can read another path than we did.
 *
 * @param target the raw request target, as the HTTP parser hands it over.
 * @see OCI distribution-spec 1.1, "Endpoints"; threats H-01 to H-11, N-01 to N-09.
 */
export function parseRoute(target: string): Route | Refusal {
  if (target.length > PATH_LENGTH_MAX + QUERY_LENGTH_MAX) {
    return refuse('NAME_INVALID', 'dockgate: the request target is too long', { status: 414 });
  }
  if (!target.startsWith('/v2/') && target !== '/v2') return badName('the path must begin with /v2/');
  const mark = target.indexOf('?');
  const path = decodePath(mark < 0 ? target : target.slice(0, mark));
  if (path === undefined) return badName('the path holds characters that no repository, tag or digest has');
  const query = parseQuery(mark < 0 ? '' : target.slice(mark + 1));
  if (query === undefined) return refuse('UNSUPPORTED', 'dockgate: malformed query', { status: 400 });
  const route = routeOf(path === '/v2' ? '' : path.slice('/v2/'.length), query);
  const namespace = queryValue(query, 'ns');
  if (namespace === undefined || isRefusal(route) || !('repository' in route)) return route;
  return { ...route, namespace };
}

function decodePath(raw: string): string | undefined {
  if (raw.length > PATH_LENGTH_MAX || /%(?:2f|25|5c)/i.test(raw)) return undefined;
  let path = raw;
  if (raw.includes('%')) {
    try {
      path = decodeURIComponent(raw);
    } catch {
      // A malformed escape is the caller's mistake, answered as such.
      return undefined;
    }
  }
  return PATH_CHARACTERS.test(path) ? path : undefined;
}

function parseQuery(text: string): Query | undefined {
  // A fragment never reaches a server; who sends one wants two parsers to disagree.
  if (text.length > QUERY_LENGTH_MAX || text.includes('#')) return undefined;
  const query = new Map<string, string[]>();
  for (const [key, value] of new URLSearchParams(text)) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is refused
    if (/[\x00-\x1f\x7f]/.test(value) || value.includes('\ufffd')) return undefined;
    const known = query.get(key);
    if (known === undefined) query.set(key, [value]);
    else if (key === 'tag') known.push(value);
    else return undefined;
    if (query.size > QUERY_KEYS_MAX) return undefined;
  }
  return query;
}

/** The last keyword decides, so a repository may have `manifests` or `blobs` among its parts. */
function routeOf(path: string, query: Query): Route | Refusal {
  if (path === '') return { kind: 'base' };
  if (path === '_catalog') return { kind: 'catalog', query };
  const parts = path.split('/');
  const [third, second, last] = [parts.at(-3), parts.at(-2), parts.at(-1) ?? ''];
  if (third === 'blobs' && second === 'uploads') {
    return inRepository(parts.slice(0, -3), (repository) =>
      last === ''
        ? { kind: 'uploads', repository, query }
        : { kind: 'upload', repository, session: last, query },
    );
  }
  if (second === 'blobs' && last === 'uploads') {
    return inRepository(parts.slice(0, -2), (repository) => ({ kind: 'uploads', repository, query }));
  }
  return inRepository(parts.slice(0, -2), (repository) => leafOf(repository, second, last, query));
}

function leafOf(
  repository: Repository,
  keyword: string | undefined,
  last: string,
  query: Query,
): Route | Refusal {
  if (keyword === 'tags' && last === 'list') return { kind: 'tags', repository, query };
  if (keyword === 'manifests') return manifestOf(repository, last, query);
  if (keyword === 'blobs' || keyword === 'referrers') {
    const digest = parseDigest(last);
    if (!digest) return badDigest();
    return keyword === 'blobs'
      ? { kind: 'blob', repository, digest }
      : { kind: 'referrers', repository, digest, query };
  }
  return badName('no such call: expected manifests, blobs, tags or referrers');
}

function manifestOf(repository: Repository, last: string, query: Query): Route | Refusal {
  const reference = parseReference(last);
  if (!reference) {
    // Under a tag that cannot be there is nothing: 404 is what the specification has for it, for a read as for a push.
    return last.includes(':') ? badDigest() : refuse('MANIFEST_UNKNOWN', 'dockgate: malformed tag');
  }
  const tags: Tag[] = [];
  for (const text of query.get('tag') ?? []) {
    const tag = parseTag(text);
    if (!tag) return refuse('MANIFEST_INVALID', 'dockgate: malformed tag in the query', { status: 400 });
    tags.push(tag);
  }
  return { kind: 'manifest', repository, reference, tags };
}

function inRepository(
  parts: readonly string[],
  then: (repository: Repository) => Route | Refusal,
): Route | Refusal {
  const repository = parseRepository(parts.join('/'));
  return repository ? then(repository) : badName('malformed repository name');
}

function badName(why: string): Refusal {
  return refuse('NAME_INVALID', `dockgate: ${why}`);
}

function badDigest(): Refusal {
  return refuse('DIGEST_INVALID', 'dockgate: malformed digest: expected sha256:<64 hex> or sha512:<128 hex>');
}

/** The single value of a query key. */
export function queryValue(query: Query, key: string): string | undefined {
  return query.get(key)?.[0];
}
