import type { RecordIndexReads } from '../audit/index.ts';
import { type Clock, DAY_MS } from '../base/index.ts';
import { type Digest, parseDigest } from '../oci/index.ts';

const PULLED_WITHIN_MS = 30 * DAY_MS;
const RECORDS_MAX = 1000;

/** Digests that were pulled lately, the last one first, by the access log. */
export async function listPulled(
  records: Pick<RecordIndexReads, 'search'>,
  clock: Clock,
): Promise<readonly Digest[]> {
  const sinceMs = clock.nowMs() - PULLED_WITHIN_MS;
  const page = await records.search({ action: 'pull', outcome: 'allowed', sinceMs, limit: RECORDS_MAX });
  const digests = page.records.flatMap(({ record }) => parseDigest(record.digest ?? '') ?? []);
  return [...new Set(digests)];
}
