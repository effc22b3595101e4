import { isIP } from 'node:net';
import type { WebhookKeeper } from '../api/index.ts';
import { readRecordsBetween, type Sequencer } from '../audit/index.ts';
import { type Changes, type Clock, type Logger, type Random, StartError } from '../base/index.ts';
import type { StoreWrites } from '../store/index.ts';
import type { Metrics } from '../telemetry/index.ts';
import { isReservedAddress, publicLookup } from '../upstream/index.ts';
import type { Verdicts } from '../verdicts/index.ts';
import { openWebhooks, type Webhooks } from '../webhooks/index.ts';
import type { NodeConfig } from './node-config.ts';
import type { Paths } from './paths.ts';

interface Parts {
  readonly store: Pick<StoreWrites, 'webhooks'>;
  readonly sequencer: Pick<Sequencer, 'size'>;
  readonly verdicts: Pick<Verdicts, 'peek'>;
  readonly changes: Changes;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/**
 * Opens the webhooks of the configuration. Unless configured none leads inside our networks, also when a name comes to
 * resolve to an address there.
 *
 * @param isServer whether it sends what is queued; else it only tells how they are and sends tests.
 * @throws {StartError} a URL with a private address.
 */
export function openNodeWebhooks(
  {
    config,
    paths,
    isServer,
  }: { readonly config: NodeConfig; readonly paths: Paths; readonly isServer: boolean },
  parts: Parts,
): Webhooks {
  const { store, sequencer, verdicts, changes, metrics } = parts;
  const webhooks = config.webhooks.map(({ allowsPrivate, ...webhook }) => {
    const host = new URL(webhook.url).hostname.replace(/^\[|\]$/g, '');
    // An address is never looked up, so the resolver cannot refuse it.
    if (!allowsPrivate && isIP(host) !== 0 && isReservedAddress(host)) {
      throw new StartError(
        `webhooks: ${webhook.name}: ${host} is a private address; set privateAddresses where that is meant`,
      );
    }
    return { ...webhook, ...(allowsPrivate ? {} : { lookup: publicLookup() }) };
  });
  const log = {
    size: () => sequencer.size(),
    read: (from: number, to: number) => readRecordsBetween(paths.audit, { from, to }),
  };
  const options = { node: config.node, source: config.publicUrl, webhooks, isSending: isServer };
  const opened = openWebhooks(options, { ...parts, log, queue: store.webhooks, judge: verdicts });
  const stopHearing = [
    changes.onChange(
      ({ topic }) => void (topic === 'facts' || topic === 'policies' ? opened.heard() : undefined),
    ),
    changes.onLost(() => opened.heard()),
  ];
  if (isServer) measure(metrics, opened);
  return {
    ...opened,
    async close() {
      for (const stop of stopHearing) stop();
      await opened.close();
    },
  };
}

function measure(metrics: Metrics, webhooks: Webhooks): void {
  const sum = async (of: 'waiting' | 'dead'): Promise<number> =>
    (await webhooks.states()).reduce((total, state) => total + state[of], 0);
  metrics.gauge({
    name: 'dockgate_webhook_messages_waiting',
    help: 'Messages that wait for their webhook.',
    read: () => sum('waiting'),
  });
  metrics.gauge({
    name: 'dockgate_webhook_messages_dead',
    help: 'Messages for webhooks that were given up, of those that are kept.',
    read: () => sum('dead'),
  });
  metrics.gauge({
    name: 'dockgate_webhooks_failing',
    help: 'Webhooks whose last try failed.',
    read: async () => (await webhooks.states()).filter(({ isHealthy }) => !isHealthy).length,
  });
}

/** What workers may ask for before the webhooks are open, and after. */
export function createWebhookKeeper(): WebhookKeeper & { connect(webhooks: Webhooks): void } {
  let opened: Webhooks | undefined;
  return {
    connect(webhooks) {
      opened = webhooks;
    },
    async states() {
      const states = (await opened?.states()) ?? [];
      return states.map(({ lastSentAtMs, lastDead, ...state }) => ({
        ...state,
        ...(lastSentAtMs === undefined ? {} : { lastSentAt: new Date(lastSentAtMs).toISOString() }),
        lastDead: lastDead.map(({ id, event, attempts, reason, queuedAtMs }) => ({
          ...{ id, event, attempts, reason, queuedAt: new Date(queuedAtMs).toISOString() },
        })),
      }));
    },
    test: async (name) => (await opened?.test(name)) ?? { outcome: 'unknown' },
  };
}
