import * as z from 'zod';
import { DAY_MS } from '../base/index.ts';
import { FeedProblem, type ReadFeed } from './read-feed.ts';

const cve = z.string().regex(/^CVE-\d{4}-\d{4,12}$/);
const catalog = z.object({
  catalogVersion: z.string(),
  dateReleased: z.iso.datetime({ offset: true }),
  count: z.int(),
  vulnerabilities: z.array(z.object({ cveID: cve, dateAdded: z.iso.date(), dueDate: z.iso.date() })).min(1),
});

/**
 * Reads CISA's `known_exploited_vulnerabilities.json`; members that nobody needs here are passed over.
 *
 * @see https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities_schema.json
 */
export const readKev: ReadFeed<'kev'> = (bytes) => {
  const parsed = catalog.safeParse(readJson(bytes));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new FeedProblem(`is no KEV catalog: ${issue?.path.join('.') || 'the document'}: ${issue?.message}`);
  }
  const { dateReleased, count, vulnerabilities } = parsed.data;
  const entries = new Map(
    vulnerabilities.map(({ cveID, dateAdded, dueDate }) => [
      cveID,
      // The day itself is still in time.
      { cve: cveID, addedAtMs: Date.parse(dateAdded), dueAtMs: Date.parse(dueDate) + DAY_MS },
    ]),
  );
  if (count !== vulnerabilities.length || entries.size !== count) {
    throw new FeedProblem(`says that it has ${count} entries and has ${entries.size}: it was cut`);
  }
  return { madeAtMs: Date.parse(dateReleased), pieces: [[...entries.values()]] };
};

function readJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new FeedProblem('is no JSON');
  }
}
