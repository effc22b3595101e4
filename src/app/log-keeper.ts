import { join } from 'node:path';
import type { LogKeeper, LogState } from '../api/index.ts';
import { printAddCheckpoint, readHeadNote, readRecordsBetween, type Sequencer } from '../audit/index.ts';
import type { Clock, Logger, Random } from '../base/index.ts';
import { type HeadNote, type Outlets, openOutlets, openWitnesses, type Witnesses } from '../outlets/index.ts';
import type { StoreWrites } from '../store/index.ts';
import type { Metrics } from '../telemetry/index.ts';
import type { NodeConfig } from './node-config.ts';
import type { Paths } from './paths.ts';

interface KeeperParts {
  readonly sequencer: Sequencer;
  readonly store: Pick<StoreWrites, 'recordIndex'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** Sends the log to the outlets of the configuration; only a server does. */
export function openLogOutlets(
  { config, paths }: { readonly config: NodeConfig; readonly paths: Paths },
  parts: KeeperParts,
): Promise<Outlets> {
  const source = {
    size: () => parts.sequencer.size(),
    read: (from: number, to: number) => readRecordsBetween(paths.audit, { from, to }),
  };
  const options = { directory: join(paths.audit, 'outlets'), outlets: config.audit.outlets };
  return openOutlets(options, { ...parts, source });
}

/** Sends checkpoints of the log to the places of the configuration; only a server does. */
export function openLogWitnesses(
  { config, paths }: { readonly config: NodeConfig; readonly paths: Paths },
  parts: KeeperParts,
): Witnesses {
  const source = {
    async newest() {
      const head = await readHeadNote(paths.audit);
      return head && { note: head.note, origin: head.checkpoint.origin, size: head.checkpoint.size };
    },
    printAddCheckpoint: ({ note, size }: HeadNote, oldSize: number) =>
      printAddCheckpoint(paths.audit, { note, size }, oldSize),
  };
  const options = { directory: join(paths.audit, 'witnesses'), witnesses: config.audit.witnesses };
  return openWitnesses(options, { ...parts, source });
}

/** What there is to say of the log beside its records: how far index and outlets are behind it. */
export function createLogKeeper(
  { sequencer, store }: KeeperParts,
  senders: readonly Pick<Outlets, 'states'>[],
): LogKeeper {
  return {
    async state(): Promise<LogState> {
      const { nextIndex } = await store.recordIndex.state();
      const states = senders.flatMap((sender) => sender.states());
      const outletStates = states.map(({ lastSentAtMs, ...state }) => ({
        ...state,
        ...(lastSentAtMs === undefined ? {} : { lastSentAt: new Date(lastSentAtMs).toISOString() }),
      }));
      return { records: sequencer.size(), indexed: nextIndex, outlets: outletStates };
    },
    reindex: () => sequencer.reindex(),
  };
}

/** How far what follows the log is behind it, in records. */
export function measureLag(metrics: Metrics, keeper: LogKeeper): void {
  metrics.gauge({
    name: 'dockgate_audit_index_lag_records',
    help: 'Records of the access log that the search index does not have yet.',
    read: async () => {
      const { records, indexed } = await keeper.state();
      return Math.max(0, records - indexed);
    },
  });
  metrics.gauge({
    name: 'dockgate_audit_outlet_lag_records',
    help: 'Records of the access log that the outlet furthest behind has not delivered yet.',
    read: async () => Math.max(0, ...(await keeper.state()).outlets.map(({ lag }) => lag)),
  });
  metrics.gauge({
    name: 'dockgate_audit_outlets_failing',
    help: 'Outlets of the access log whose last try failed.',
    read: async () => (await keeper.state()).outlets.filter(({ isHealthy }) => !isHealthy).length,
  });
}
