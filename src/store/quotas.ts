import { QuotaExceeded, type QuotaState, type Quotas } from '../content/index.ts';
import { matchesPattern, type Pattern, type Repository } from '../oci/index.ts';
import type { MainSql } from './tables.ts';

/** Bytes that the repositories of a pattern may link together. */
export interface Quota {
  readonly pattern: Pattern;
  readonly bytesMax: number;
}

export function createQuotas(sql: MainSql, quotas: readonly Quota[]): Quotas {
  return {
    of: (repository) => statesOf(sql, matching(quotas, repository)),
    list: () => statesOf(sql, quotas),
  };
}

/**
 * Called in the transaction that links: what others link meanwhile waits for it, so that two pushes together never
 * get more than there is.
 *
 * @throws {QuotaExceeded}
 */
export async function requireRoom(
  sql: MainSql,
  quotas: readonly Quota[],
  link: { readonly repository: Repository; readonly askedBytes: number },
): Promise<void> {
  const { repository, askedBytes } = link;
  // Nothing more is asked: what is there stays usable when a quota was lowered below it.
  if (askedBytes === 0) return;
  for (const state of await statesOf(sql, matching(quotas, repository))) {
    if (state.usedBytes + askedBytes > state.bytesMax) throw new QuotaExceeded(state, askedBytes);
  }
}

function matching(quotas: readonly Quota[], repository: Repository): readonly Quota[] {
  return quotas.filter(({ pattern }) => matchesPattern(pattern, repository));
}

async function statesOf(sql: MainSql, quotas: readonly Quota[]): Promise<readonly QuotaState[]> {
  const states: QuotaState[] = [];
  for (const { pattern, bytesMax } of quotas) {
    states.push({ on: pattern.text, bytesMax, usedBytes: await usedBytes(sql, pattern) });
  }
  return states;
}

/** Links are kept in the order of repositories' names, so only those that begin as the pattern does are looked at. */
async function usedBytes(sql: MainSql, pattern: Pattern): Promise<number> {
  const start = startOf(pattern);
  // Every character of a name comes before it.
  const end = `${start}~`;
  const blobs = await sql
    .selectFrom('repository_blobs')
    .select((eb) => ['repository', eb.fn.sum('size').as('bytes')])
    .where('repository', '>=', start as Repository)
    .where('repository', '<', end as Repository)
    .where('owner', 'in', ['origin', 'pending'])
    .groupBy('repository')
    .execute();
  const manifests = await sql
    .selectFrom('repository_manifests')
    .innerJoin('manifests', 'manifests.digest', 'repository_manifests.digest')
    .select((eb) => ['repository_manifests.repository', eb.fn.sum('manifests.size').as('bytes')])
    .where('repository_manifests.repository', '>=', start as Repository)
    .where('repository_manifests.repository', '<', end as Repository)
    .where('repository_manifests.owner', '=', 'origin')
    .groupBy('repository_manifests.repository')
    .execute();
  let used = 0;
  for (const { repository, bytes } of [...blobs, ...manifests]) {
    if (matchesPattern(pattern, repository)) used += Number(bytes);
  }
  return used;
}

/** What every name begins with that the pattern covers, as far as that is plain; empty when there is nothing. */
function startOf({ includes }: Pattern): string {
  const [glob, ...others] = includes;
  if (!glob || others.length > 0) return '';
  const whole = glob.segments.join('/');
  const star = whole.indexOf('*');
  return star < 0 ? whole : whole.slice(0, star);
}
