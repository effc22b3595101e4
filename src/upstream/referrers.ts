import {
  type Digest,
  MANIFEST_BYTES_MAX,
  MEDIA_TYPES,
  mediaTypeOf,
  parseManifest,
  parseTag,
  type Repository,
} from '../oci/index.ts';
import { bodyLengthOf, faultFor, headerOf, type WholeAnswer } from './answer.ts';
import type { Client } from './client.ts';
import { upstreamBroken } from './faults.ts';
import { nextLast } from './lists.ts';
import { manifestPath, scopeOf } from './paths.ts';

const PAGES_MAX = 20;
/** More than anybody attaches to one image; beyond it the question would hold up whoever asked. */
const REFERRERS_MAX = 1000;

/**
 * What the registry says refers to the digest: by its referrers API, else by the fallback tag that clients keep where
 * there is none. It may name what does not refer to it; who believes it reads each manifest first.
 *
 * @see OCI distribution-spec 1.1, end-12 and "Unavailable Referrers API".
 */
export async function listReferrers(
  client: Client,
  repository: Repository,
  subject: Digest,
): Promise<readonly Digest[]> {
  const found = (await askApi(client, repository, subject)) ?? (await askTag(client, repository, subject));
  return [...new Set(found)].slice(0, REFERRERS_MAX);
}

/** @returns `undefined` where there is no such API. */
async function askApi(
  client: Client,
  repository: Repository,
  subject: Digest,
): Promise<readonly Digest[] | undefined> {
  const digests: Digest[] = [];
  for (let page = 0, last: string | undefined; page < PAGES_MAX; page += 1) {
    const query = last === undefined ? '' : `?${new URLSearchParams({ last })}`;
    const answer = await ask(client, repository, `/v2/${repository}/referrers/${subject}${query}`);
    // Without the API it is an address like any other that is not there; how that is said differs.
    if (page === 0 && NO_API.includes(answer.status)) return undefined;
    if (answer.status !== 200) throw faultFor(answer);
    const listed = digestsIn(answer);
    // Some file servers answer 200 to everything.
    if (!listed) return page === 0 ? undefined : digests;
    digests.push(...listed);
    const next = nextLast(answer);
    if (next === undefined || next === last || digests.length >= REFERRERS_MAX) break;
    last = next;
  }
  return digests;
}

/** 403 too: where it is about our credential, the question for the tag says so as well. */
const NO_API: readonly number[] = [400, 403, 404, 405, 501];

async function askTag(client: Client, repository: Repository, subject: Digest): Promise<readonly Digest[]> {
  const tag = fallbackTag(subject);
  const answer = await ask(client, repository, manifestPath(repository, tag));
  if (answer.status === 404) return [];
  if (answer.status !== 200) throw faultFor(answer);
  return digestsIn(answer) ?? [];
}

/** The algorithm and at most 64 digits, joined as a tag can be. @see "Referrers Tag Schema" */
function fallbackTag(subject: Digest) {
  const [algorithm, digits = ''] = subject.split(':');
  const tag = parseTag(`${algorithm}-${digits.slice(0, 64)}`);
  if (!tag) throw new Error(`no tag can be made of ${subject}`);
  return tag;
}

function ask(client: Client, repository: Repository, path: string): Promise<WholeAnswer> {
  return client.fetch({
    method: 'GET',
    path,
    scopes: [scopeOf(repository, 'pull')],
    headers: { accept: MEDIA_TYPES.ociIndex },
    bytesMax: MANIFEST_BYTES_MAX,
  });
}

/** @returns `undefined` when it is no OCI index: somebody may have tagged an image so. */
function digestsIn(answer: WholeAnswer): readonly Digest[] | undefined {
  if (mediaTypeOf(headerOf(answer, 'content-type')) !== MEDIA_TYPES.ociIndex) return undefined;
  bodyLengthOf(answer);
  const read = parseManifest(answer.bytes, MEDIA_TYPES.ociIndex);
  if (!read.ok) throw upstreamBroken('a list of referrers that is none');
  return read.manifest.manifests.map(({ digest }) => digest);
}
