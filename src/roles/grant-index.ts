import { type PatternResult, parsePattern, type Repository } from '../oci/index.ts';
import type { Grant } from './types.ts';

/** A grant with its pattern, read once. */
export interface ReadGrant {
  readonly grant: Grant;
  readonly pattern: PatternResult;
}

interface GrantIndex {
  /** By the first segment of the names that they can cover. */
  readonly byStart: ReadonlyMap<string, readonly ReadGrant[]>;
  /** Those that may cover names that begin anyhow, and those that cannot be read. */
  readonly anywhere: readonly ReadGrant[];
}

/** Lists of grants are read whole and never changed: each is sorted once for as long as it is held. */
const indexes = new WeakMap<readonly Grant[], GrantIndex>();
const NONE: readonly ReadGrant[] = [];

/**
 * The grants of the list that may cover the repository; those that are left out cannot. Whoever has hundreds of grants
 * is asked about a few of them.
 *
 * @param repository `undefined`: only grants on any name are meant.
 */
export function grantsThatMayCover(
  grants: readonly Grant[],
  repository: Repository | undefined,
): readonly (readonly ReadGrant[])[] {
  let index = indexes.get(grants);
  if (!index) {
    index = sort(grants);
    indexes.set(grants, index);
  }
  if (repository === undefined) return [index.anywhere];
  const slash = repository.indexOf('/');
  const start = slash < 0 ? repository : repository.slice(0, slash);
  return [index.anywhere, index.byStart.get(start) ?? NONE];
}

function sort(grants: readonly Grant[]): GrantIndex {
  const byStart = new Map<string, ReadGrant[]>();
  const anywhere: ReadGrant[] = [];
  for (const grant of grants) {
    const read = { grant, pattern: parsePattern(grant.pattern) };
    for (const start of startsOf(read.pattern)) {
      if (start === undefined) anywhere.push(read);
      else if (!byStart.get(start)?.push(read)) byStart.set(start, [read]);
    }
  }
  return { byStart, anywhere };
}

/** First segments that a name must have one of; `undefined` alone: any. */
function startsOf(result: PatternResult): ReadonlySet<string | undefined> {
  if (!result.ok) return new Set([undefined]);
  const starts = result.pattern.includes.map(({ segments: [first = '*'] }) => first);
  return starts.some((start) => start.includes('*')) ? new Set([undefined]) : new Set(starts);
}
