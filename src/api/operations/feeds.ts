import { z } from 'zod';
import type { KeptFeed } from '../../verdicts/index.ts';
import { feedsShape } from '../contract.ts';
import { operation } from '../operation.ts';
import type { ApiParts } from '../parts.ts';

/** Lists that rules look into. */
export const feedOperations = [
  operation({
    id: 'policy.feeds',
    method: 'get',
    path: '/feeds',
    summary: 'EPSS scores and KEV catalog: how old they are, where they come from, what the last try said',
    action: 'policy.manage',
    input: z.strictObject({}),
    output: feedsShape,
    status: 200,
    run: (_input, { parts }) => listFeeds(parts),
  }),
  operation({
    id: 'policy.feeds.refresh',
    method: 'post',
    path: '/feeds/refresh',
    summary: 'Looks at the sources of the feeds now; verdicts follow at once',
    action: 'policy.manage',
    input: z.strictObject({}),
    output: feedsShape,
    status: 200,
    async run(_input, { parts }) {
      await parts.feeds.refreshAll();
      return listFeeds(parts);
    },
  }),
];

async function listFeeds({ facts }: ApiParts): Promise<z.infer<typeof feedsShape>> {
  return { feeds: (await facts.listFeeds()).map(printFeed) };
}

function printFeed({ name, content, tried }: KeptFeed): z.infer<typeof feedsShape>['feeds'][number] {
  return {
    name,
    ...(content
      ? {
          source: content.source,
          entries: content.entries,
          revision: content.revision,
          madeAt: new Date(content.madeAtMs).toISOString(),
          asOf: new Date(content.asOfMs).toISOString(),
        }
      : {}),
    ...(tried ? { triedAt: new Date(tried.atMs).toISOString() } : {}),
    ...(tried?.problem === undefined ? {} : { problem: tried.problem }),
  };
}
