import { z } from 'zod';
import { webhookListShape, webhookName, webhookTestShape } from '../contract.ts';
import { ApiProblem, operation } from '../operation.ts';

/** Who is told of what happens to images. Webhooks are made in the configuration; here is how they are. */
export const webhookOperations = [
  operation({
    id: 'webhook.list',
    method: 'get',
    path: '/webhooks',
    summary: 'The webhooks: what waits for each, and what was given up',
    action: 'system',
    input: z.strictObject({}),
    output: webhookListShape,
    status: 200,
    run: async (_input, { parts }) => ({
      webhooks: (await parts.webhooks.states()).map((state) => ({
        ...state,
        events: [...state.events],
        lastDead: [...state.lastDead],
      })),
    }),
  }),
  operation({
    id: 'webhook.test',
    method: 'post',
    path: '/webhooks/{name}/test',
    summary: 'Sends one message now, past what waits, and says whether it was taken',
    action: 'system',
    input: webhookName,
    output: webhookTestShape,
    status: 200,
    async run({ name }, { parts }) {
      const result = await parts.webhooks.test(name);
      if (result.outcome === 'unknown') {
        throw new ApiProblem(404, 'DG_WEBHOOK_UNKNOWN', `no webhook ${name}: run: dockgate webhook list`);
      }
      return result.outcome === 'failed' ? { isTaken: false, reason: result.reason } : { isTaken: true };
    },
  }),
];
