import type { Page, StoredManifest } from '../content/index.ts';
import {
  type Digest,
  Fault,
  MEDIA_TYPES,
  parseRepository,
  type Refusal,
  type Repository,
  refuse,
} from '../oci/index.ts';
import { holdsCatalog } from '../roles/index.ts';
import { checkAccess } from './access.ts';
import { type Answer, jsonAnswer } from './answer.ts';
import type { CallOf } from './call.ts';
import { challenge } from './challenge.ts';
import type { GatewayOptions, GatewayParts } from './parts.ts';
import { allow, type DecisionFacts, deny, type Plan } from './plan.ts';
import { noRegistry } from './push-manifest.ts';
import { type Query, queryValue } from './route.ts';
import type { Sources } from './sources.ts';

const PAGE_DEFAULT = 100;
const PAGE_MAX = 1000;

/** @see OCI distribution-spec 1.1, end-8 */
export async function planTags(
  call: CallOf<'tags'>,
  parts: GatewayParts,
  options: GatewayOptions,
): Promise<Plan> {
  const { repository, query } = call.route;
  const checked = await checkAccess(parts.directory, call, repository, ['list'], {
    service: options.service,
    scopeActions: 'pull',
  });
  const facts: DecisionFacts = {
    action: 'list',
    repository,
    ...(checked.because ? { because: checked.because } : {}),
  };
  if (checked.refusal) return deny({ ...facts, reason: checked.reason ?? 'refused' }, checked.refusal);
  const page = readPage(query);
  if (!page) return deny({ ...facts, reason: 'page.invalid' }, badPage());
  const located = parts.sources.locate(repository);
  if (!located) return deny({ ...facts, reason: 'name.unknown' }, noRegistry(repository));
  // One more than asked tells whether there is a next page.
  const tags = await located.source.listTags(located.name, { ...page, limit: page.limit + 1 });
  if (!tags) {
    const refusal = refuse('NAME_UNKNOWN', `dockgate: there is no repository ${repository}`);
    return deny({ ...facts, reason: 'name.unknown' }, refusal);
  }
  return allow(facts, 200, async () => {
    const shown = tags.slice(0, page.limit);
    return pageAnswer(
      { name: repository, tags: shown },
      {
        path: `/v2/${repository}/tags/list`,
        limit: page.limit,
        last: tags.length > page.limit ? shown.at(-1) : undefined,
      },
    );
  });
}

/**
 * The repositories that the caller may list, and no trace of any other.
 *
 * @see distribution docs/content/spec/api.md, "Catalog"; threat T-30.
 */
export async function planCatalog(
  call: CallOf<'catalog'>,
  parts: GatewayParts,
  options: GatewayOptions,
): Promise<Plan> {
  const facts: DecisionFacts = { action: 'catalog' };
  const isAnonymous = call.identity.principal.kind === 'anonymous';
  if (isAnonymous || !holdsCatalog(call.identity.scopes)) {
    const error = isAnonymous ? undefined : 'insufficient_scope';
    const headers = challenge(call.baseUrl, options.service, 'registry:catalog:*', error);
    const message = 'dockgate: the catalog needs a sign-in with scope registry:catalog:*';
    const reason = isAnonymous ? 'sign-in.needed' : 'scope.missing';
    return deny({ ...facts, reason }, refuse('UNAUTHORIZED', message, { headers }));
  }
  const page = readPage(call.route.query);
  if (!page) return deny({ ...facts, reason: 'page.invalid' }, badPage());
  const names = await visibleRepositories(call, parts, page);
  return allow(facts, 200, async () => {
    const shown = names.slice(0, page.limit);
    return pageAnswer(
      { repositories: shown },
      {
        path: '/v2/_catalog',
        limit: page.limit,
        last: names.length > page.limit ? shown.at(-1) : undefined,
      },
    );
  });
}

/** One name more than the page holds, if there is one. */
async function visibleRepositories(
  call: CallOf<'catalog'>,
  parts: GatewayParts,
  page: Page,
): Promise<readonly Repository[]> {
  const isVisible = await parts.directory.visibleTo(call.identity);
  const visible: Repository[] = [];
  for await (const repository of everyRepository(parts, page.last)) {
    if (!isVisible(repository)) continue;
    visible.push(repository);
    if (visible.length > page.limit) break;
  }
  return visible;
}

/** All repositories after `last`, in byte order, merged over the registries. */
async function* everyRepository(parts: GatewayParts, last: string | undefined): AsyncGenerator<Repository> {
  const lists = await Promise.all(parts.sources.all.map((entry) => listAll(parts.sources, entry, last)));
  const names = new Set(lists.flat());
  for (const name of [...names].sort()) {
    if (last === undefined || name > last) yield name;
  }
}

async function listAll(
  sources: Sources,
  entry: Sources['all'][number],
  last: string | undefined,
): Promise<readonly Repository[]> {
  const names: Repository[] = [];
  const within = last?.startsWith(entry.prefix) ? last.slice(entry.prefix.length) : undefined;
  for (let after = within; ; ) {
    const page = await entry.source.listRepositories({ limit: PAGE_MAX, ...(after ? { last: after } : {}) });
    for (const name of page) {
      const full = parseRepository(`${entry.prefix}${name}`);
      // What a longer prefix takes over cannot be reached here.
      if (full && sources.locate(full)?.source === entry.source) names.push(full);
    }
    if (page.length < PAGE_MAX) return names;
    after = page.at(-1);
  }
}

/**
 * What refers to a digest, as an index. Never 404: what nobody refers to has an empty list.
 *
 * @see OCI distribution-spec 1.1, end-12
 */
export async function planReferrers(
  call: CallOf<'referrers'>,
  parts: GatewayParts,
  options: GatewayOptions,
): Promise<Plan> {
  const { repository, digest, query } = call.route;
  const checked = await checkAccess(parts.directory, call, repository, ['list'], {
    service: options.service,
    scopeActions: 'pull',
  });
  const facts: DecisionFacts = {
    action: 'list',
    repository,
    reference: digest,
    note: 'referrers',
    ...(checked.because ? { because: checked.because } : {}),
  };
  if (checked.refusal) return deny({ ...facts, reason: checked.reason ?? 'refused' }, checked.refusal);
  const page = readPage(query);
  if (!page) return deny({ ...facts, reason: 'page.invalid' }, badPage());
  const artifactType = queryValue(query, 'artifactType');
  const filter = artifactType ? { artifactType } : {};
  await bringReferrers(parts, repository, digest);
  const found = await parts.links.listReferrers(repository, digest, {
    ...page,
    limit: page.limit + 1,
    ...filter,
  });
  return allow(facts, 200, async () => {
    const shown = found.slice(0, page.limit);
    const index = {
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociIndex,
      manifests: shown.map(referrerDescriptor),
    };
    const answer = pageAnswer(index, {
      path: `/v2/${repository}/referrers/${digest}`,
      limit: page.limit,
      last: found.length > page.limit ? shown.at(-1)?.digest : undefined,
      ...filter,
    });
    const applied: Record<string, string> = artifactType ? { 'oci-filters-applied': 'artifactType' } : {};
    return { ...answer, headers: { ...answer.headers, 'content-type': MEDIA_TYPES.ociIndex, ...applied } };
  });
}

/** While the registry is away, what is known is still listed; a list that would be empty for that reason is none. */
async function bringReferrers(parts: GatewayParts, repository: Repository, subject: Digest): Promise<void> {
  try {
    await parts.referrers.bring(repository, subject);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    const known = await parts.links.listReferrers(repository, subject, { limit: 1 });
    if (known.length === 0) throw error;
    parts.logger.warn('referrers could not be asked for: only known ones are listed', {
      repository,
      digest: subject,
    });
  }
}

function referrerDescriptor(manifest: StoredManifest): unknown {
  return {
    mediaType: manifest.mediaType,
    digest: manifest.digest,
    size: manifest.size,
    ...(manifest.artifactType ? { artifactType: manifest.artifactType } : {}),
    ...(Object.keys(manifest.annotations).length > 0 ? { annotations: manifest.annotations } : {}),
  };
}

/** `n` is clamped to PAGE_MAX; a value that is no count is refused. @see threats N-17, N-18 */
function readPage(query: Query): Page | undefined {
  const text = queryValue(query, 'n');
  if (text !== undefined && !/^\d{1,15}$/.test(text)) return undefined;
  const limit = text === undefined ? PAGE_DEFAULT : Math.min(Number(text), PAGE_MAX);
  const last = queryValue(query, 'last');
  return { limit, ...(last ? { last } : {}) };
}

function badPage(): Refusal {
  return refuse('UNSUPPORTED', 'dockgate: n must be a count of entries', { status: 400 });
}

function pageAnswer(
  body: unknown,
  next: {
    readonly path: string;
    readonly limit: number;
    readonly last: string | undefined;
    readonly artifactType?: string;
  },
): Answer {
  if (next.last === undefined || next.limit === 0) return jsonAnswer(body);
  const query = new URLSearchParams({ n: String(next.limit), last: next.last });
  if (next.artifactType) query.set('artifactType', next.artifactType);
  return jsonAnswer(body, { link: `<${next.path}?${query}>; rel="next"` });
}
