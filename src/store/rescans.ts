import type { Digest } from '../oci/index.ts';
import type { FactReads } from '../verdicts/index.ts';
import { clampLimit, inChunks } from './rows.ts';
import type { MainSql } from './tables.ts';

type Found = Awaited<ReturnType<FactReads['listScannedBefore']>>[number];

/** Scans of what some repository still holds: the rest is not scanned again. */
function scansHeld(sql: MainSql, scanner: string) {
  return sql
    .selectFrom('scans')
    .innerJoin('repository_manifests', 'repository_manifests.digest', 'scans.digest')
    .where('scans.scanner', '=', scanner);
}

function oldestFirst(query: ReturnType<typeof scansHeld>, limit: number): Promise<readonly Found[]> {
  return query
    .select(({ fn }) => ['scans.digest', fn.min('repository_manifests.repository').as('repository')])
    .groupBy(['scans.at_ms', 'scans.digest'])
    .orderBy('scans.at_ms')
    .orderBy('scans.digest')
    .limit(clampLimit(limit))
    .execute()
    .then((rows) => rows.map(({ digest, repository }) => ({ repository, digest })));
}

export function listScannedBefore(
  sql: MainSql,
  scanner: string,
  beforeMs: number,
  limit: number,
): Promise<readonly Found[]> {
  return oldestFirst(scansHeld(sql, scanner).where('scans.at_ms', '<', beforeMs), limit);
}

export async function listScannedByOther(
  sql: MainSql,
  scanner: string,
  version: string,
  { among, limit }: { readonly among?: readonly Digest[]; readonly limit: number },
): Promise<readonly Found[]> {
  const outdated = scansHeld(sql, scanner).where('scans.version', '!=', version);
  if (!among) return oldestFirst(outdated, limit);
  const found: Found[] = [];
  for (const chunk of inChunks(among)) {
    if (found.length < limit) {
      found.push(...(await oldestFirst(outdated.where('scans.digest', 'in', chunk), limit - found.length)));
    }
  }
  return found;
}

export async function countScanned(
  sql: MainSql,
  scanner: string,
  version: string,
): ReturnType<FactReads['countScanned']> {
  const count = async (query: ReturnType<typeof scansHeld>): Promise<number> => {
    const row = await query
      .select(({ fn }) => fn.count('scans.digest').distinct().as('count'))
      .executeTakeFirst();
    return Number(row?.count ?? 0);
  };
  const held = scansHeld(sql, scanner);
  return { scanned: await count(held), outdated: await count(held.where('scans.version', '!=', version)) };
}
