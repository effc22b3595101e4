import { asHold, type Hold } from './holds.ts';
import type { RecordIndexReads } from './ports.ts';

/** Records of holds in one page of the index. */
const PAGE = 1000;

/**
 * The holds that there are by the records that tell of them (`log.hold`): what differs from the files was done while
 * no server ran, or by somebody else.
 */
export async function toldHolds(index: Pick<RecordIndexReads, 'search'>): Promise<readonly Hold[]> {
  const holds = new Map<string, Hold | undefined>();
  let beforeIndex: number | undefined;
  do {
    const page = await index.search({
      action: 'log.hold',
      limit: PAGE,
      ...(beforeIndex === undefined ? {} : { beforeIndex }),
    });
    for (const { record } of page.records) {
      const after = asHold(record.change?.after);
      const name = (after ?? asHold(record.change?.before))?.name;
      // The newest first: older ones are overtaken.
      if (name !== undefined && !holds.has(name)) holds.set(name, after);
    }
    beforeIndex = page.next;
  } while (beforeIndex !== undefined);
  return [...holds.values()].filter((hold) => hold !== undefined);
}
