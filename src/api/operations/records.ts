import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { IndexedRecord, RecordConditions, RecordPage, RecordQuery } from '../../audit/index.ts';
import { SECOND_MS } from '../../base/index.ts';
import { parseDigest } from '../../oci/index.ts';
import {
  countsQuery,
  countsShape,
  exposedQuery,
  exposedShape,
  followQuery,
  followShape,
  recordsQuery,
  recordsShape,
} from '../contract.ts';
import { operation } from '../operation.ts';
import type { ApiParts } from '../parts.ts';

/** Whoever waits for records looks so often whether there are any. */
const FOLLOW_EVERY_MS = 250;
const FOLLOW_LIMIT = 500;
/** Each look of a follower is a record itself; without this it would find its own steps for ever. */
const FOLLOW_ACTION = 'admin.audit.follow';

/** The access log: searched, counted, followed. */
export function recordOperations() {
  return [
    operation({
      id: 'audit.search',
      method: 'get',
      path: '/audit/records',
      summary: 'Access records, newest first. A page may be short or empty and still have a `next`',
      action: 'audit.read',
      input: recordsQuery,
      output: recordsShape,
      status: 200,
      note: (input) => JSON.stringify(input),
      async run({ before, limit, ...asked }, { parts }) {
        const page = await parts.records.search({
          ...conditionsOf(asked),
          requestId: asked.requestId,
          limit,
          ...(before === undefined ? {} : { beforeIndex: before }),
        });
        return { records: printed(page.records), ...(page.next === undefined ? {} : { next: page.next }) };
      },
    }),
    operation({
      id: 'audit.count',
      method: 'get',
      path: '/audit/counts',
      summary: 'Access records counted by one of their values; the counts of all pages are to be added',
      action: 'audit.read',
      input: countsQuery,
      output: countsShape,
      status: 200,
      note: (input) => JSON.stringify(input),
      async run({ before, by, ...asked }, { parts }) {
        const { counts, next } = await parts.records.count({
          ...conditionsOf(asked),
          by,
          ...(before === undefined ? {} : { beforeIndex: before }),
        });
        return { counts: [...counts], ...(next === undefined ? {} : { next }) };
      },
    }),
    operation({
      id: 'audit.follow',
      method: 'get',
      path: '/audit/follow',
      summary: 'Access records after an index, oldest first, waited for; without `after` only where to begin',
      action: 'audit.read',
      input: followQuery,
      output: followShape,
      status: 200,
      note: (input) => JSON.stringify(input),
      async run({ after, wait, ...asked }, { parts }) {
        if (after === undefined) {
          return { records: [], next: Math.max(0, (await parts.records.state()).nextIndex - 1) };
        }
        const query = { ...conditionsOf(asked), afterIndex: after, limit: FOLLOW_LIMIT };
        const page = await waitForRecords(query, wait * SECOND_MS, parts);
        return { records: printed(page.records), next: page.next ?? after };
      },
    }),
    operation({
      id: 'audit.exposed',
      method: 'get',
      path: '/audit/exposed',
      summary:
        'By which digests somebody got content with a finding, or a manifest: itself, its indexes, its blobs',
      action: 'audit.read',
      input: exposedQuery,
      output: exposedShape,
      status: 200,
      note: (input) => JSON.stringify(input),
      async run({ finding, digest }, { parts }) {
        const parsed = digest === undefined ? undefined : parseDigest(digest);
        const found = await parts.facts.findExposed(
          parsed === undefined ? { finding: finding ?? '' } : { digest: parsed },
        );
        return { digests: [...found] };
      },
    }),
    operation({
      id: 'audit.reindex',
      method: 'post',
      path: '/audit/reindex',
      summary:
        'Empties the search index, which is then filled anew from the log; the status says how far it is',
      action: 'system',
      input: z.strictObject({}),
      output: z.object({ records: z.number() }),
      status: 202,
      async run(_input, { parts }) {
        await parts.log.reindex();
        return { records: (await parts.log.state()).records };
      },
    }),
  ];
}

async function waitForRecords(
  query: RecordQuery,
  waitMsMax: number,
  { records, clock }: Pick<ApiParts, 'records' | 'clock'>,
): Promise<RecordPage> {
  const untilMs = clock.monotonicMs() + waitMsMax;
  let afterIndex = query.afterIndex ?? 0;
  for (;;) {
    const page = await records.search({ ...query, afterIndex });
    const found = page.records.filter(
      ({ record }) => record.action !== FOLLOW_ACTION || query.action === FOLLOW_ACTION,
    );
    if (found.length > 0 || clock.monotonicMs() >= untilMs) return { ...page, records: found };
    afterIndex = page.next ?? afterIndex;
    await sleep(FOLLOW_EVERY_MS);
  }
}

function printed(records: readonly IndexedRecord[]) {
  return records.map(({ index, record }) => ({ index, record: { ...record } }));
}

type Asked = Omit<z.infer<typeof recordsQuery>, 'before' | 'limit' | 'requestId'>;

function conditionsOf({ since, until, ...same }: Asked): RecordConditions {
  return {
    ...same,
    ...(since === undefined ? {} : { sinceMs: Date.parse(since) }),
    ...(until === undefined ? {} : { untilMs: Date.parse(until) }),
  };
}
