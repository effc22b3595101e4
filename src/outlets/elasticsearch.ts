import { z } from 'zod';
import { createPoster, type PostTarget } from './http-post.ts';
import type { OutletRecord, Receiver, Rejected } from './ports.ts';

export interface ElasticsearchOptions extends PostTarget {
  /** An index or a data stream. */
  readonly index: string;
}

const CONFLICT = 409;
const TOO_MANY = 429;

const bulkAnswer = z.object({
  errors: z.boolean(),
  items: z.array(
    z.object({
      create: z.object({
        status: z.number(),
        error: z.object({ type: z.string().optional(), reason: z.string().optional() }).optional(),
      }),
    }),
  ),
});

/**
 * Elasticsearch's (and OpenSearch's) `_bulk`: each record is created under its own id, so one that comes again is
 * there already and nothing changes.
 *
 * @see elastic.co, "Bulk API": NDJSON, one result an item in their order.
 */
export function createElasticsearchReceiver(options: ElasticsearchOptions): Receiver {
  const poster = createPoster({ ...options, url: new URL('_bulk', withSlash(options.url)).href });
  return {
    isConfirmed: true,
    async send(records, signal) {
      const text = await poster.post(
        printBulk(records, options.index),
        { 'content-type': 'application/x-ndjson' },
        signal,
      );
      return readBulk(text, records.length);
    },
    close: () => poster.close(),
  };
}

/** Two lines a record, each ended. */
function printBulk(records: readonly OutletRecord[], index: string): string {
  return records
    .map(({ record, index: leaf, line }) => {
      const action = JSON.stringify({ create: { _index: index, _id: record.id } });
      // The record's own line with two members more in front; it begins with a brace and is never empty.
      const own = line.toString('latin1').slice(1);
      return `${action}\n{"@timestamp":${JSON.stringify(record.time)},"index":${leaf},${own}\n`;
    })
    .join('');
}

/** @throws {Error} the answer is none, or some records are to be sent again. */
function readBulk(text: string, count: number): Rejected | undefined {
  const { errors, items } = bulkAnswer.parse(JSON.parse(text));
  if (items.length !== count)
    throw new Error(`the answer speaks of ${items.length} records, not of ${count}`);
  if (!errors) return undefined;
  const failed = items.filter(({ create }) => create.status >= 300 && create.status !== CONFLICT);
  const later = failed.find(({ create }) => create.status === TOO_MANY || create.status >= 500);
  if (later) throw new Error(`some records are to be sent again: ${later.create.status}`);
  const [first] = failed;
  if (!first) return undefined;
  const { status, error } = first.create;
  return { count: failed.length, reason: `${status} ${error?.type ?? ''} ${error?.reason ?? ''}`.trim() };
}

function withSlash(url: string): string {
  return url.endsWith('/') ? url : `${url}/`;
}
