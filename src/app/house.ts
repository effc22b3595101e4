import { rmSync } from 'node:fs';
import type { FeedRefresh, LogKeeper, WebhookKeeper } from '../api/index.ts';
import {
  type AuditWriter,
  loadOrCreateLogKey,
  openAuditWriter,
  openSequencer,
  type Sequencer,
} from '../audit/index.ts';
import {
  type Attempts,
  createPasswordHasher,
  DEFAULT_PASSWORD_HASH_OPTIONS,
  ensureTokenKey,
} from '../auth/index.ts';
import {
  type Change,
  type Clock,
  type Logger,
  type Random,
  StartError,
  systemClock,
  systemRandom,
} from '../base/index.ts';
import {
  createAttempts,
  type ReplicaChanges,
  type RpcParts,
  type RpcServer,
  serveRpc,
} from '../cluster/index.ts';
import { openContent, startScrub } from '../content/index.ts';
import type { Outlets } from '../outlets/index.ts';
import { openStoreWrites, type StoreWrites } from '../store/index.ts';
import { createMetricsHub, type Metrics, type MetricsHub } from '../telemetry/index.ts';
import { createTrafficCounts, type TrafficCounts, UNLIMITED_TRAFFIC } from '../traffic/index.ts';
import { createScanRunner, type ScanRequests, type ScanRunner } from '../verdicts/index.ts';
import { attemptOptions } from './attempt-options.ts';
import { ensureFirstAdmin, type FirstAdmin, forgetPasswordOnChange } from './first-admin.ts';
import { keepFeeds, openFeeds } from './keep-feeds.ts';
import { keepHouse } from './keep-house.ts';
import { keepReserve } from './keep-reserve.ts';
import { listPulled } from './list-pulled.ts';
import { createLogKeeper, measureLag, openLogOutlets, openLogWitnesses } from './log-keeper.ts';
import { measuredAudit, measuredScanner } from './measured.ts';
import { hostsOf } from './names.ts';
import type { NodeConfig } from './node-config.ts';
import { openBreached } from './open-breached.ts';
import { openLdap } from './open-ldap.ts';
import { openMemory } from './open-memory.ts';
import { openReplicas } from './open-replicas.ts';
import { openScanners } from './open-scanners.ts';
import { openSources } from './open-sources.ts';
import { createWebhookKeeper, openNodeWebhooks } from './open-webhooks.ts';
import { type Paths, pathsOf } from './paths.ts';
import { probeUpstreams } from './probe-upstreams.ts';
import { createScanContent } from './scan-content.ts';
import { createScanTokens, type ScanTokens } from './scan-tokens.ts';
import { shareKeys } from './share-keys.ts';
import { ensureSharedKey, makePrivateDirectory, readSharedKey } from './shared-keys.ts';
import { ensurePolicies } from './shipped-policies.ts';
import { storeOptions } from './store-options.ts';
import { createSurfaces, type Surfaces } from './surfaces.ts';

/** Everything that there is once a node: the writing store, the log's sequencer, the scan queue. */
export interface House {
  readonly paths: Paths;
  readonly surfaces: Surfaces;
  readonly hub: MetricsHub;
  readonly firstAdmin: FirstAdmin | undefined;
  isReady(): boolean;
}

interface HouseOptions {
  readonly config: NodeConfig;
  readonly version: string;
  /** Its name in the access log. */
  readonly name: string;
  /** Whether it does the work of a server: scans, tidies up, and puts the configuration's policies in force. */
  readonly isServer: boolean;
}

interface Watching {
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/**
 * Opens the data of a node for writing: in the housekeeping process of a server, or for one command when no server
 * runs on the data.
 *
 * @param closing what is opened is put here, to be closed in reverse.
 * @throws {StartError} another process has the data open, or a file cannot be used.
 */
export async function openHouse(
  { config, version, name, isServer }: HouseOptions,
  closing: AsyncDisposableStack,
  { logger, metrics }: Watching,
): Promise<House> {
  const base = { clock: systemClock, random: systemRandom, logger };
  const paths = pathsOf(config.dataDirectory);
  await prepare(paths, base);

  const line = createLine();
  const store = await openStoreWrites(storeOptions(config), { ...base, publish: line.publish });
  closing.defer(() => store.close());
  const { replicas } = store;
  /** Of replicas that start at the same moment, one makes the keys, the policies and the admin. */
  const inTurn = <T>(work: () => Promise<T>): Promise<T> =>
    replicas ? replicas.alone.inTurn('start', work) : work();
  if (replicas) await inTurn(() => shareKeys(paths, replicas.keys, base));
  const writer = await openAuditWriter(
    { directory: paths.audit, node: config.node, writer: name, ...config.audit },
    base,
  );
  const audit = measuredAudit(writer, { ...base, metrics });
  const reserve = { directory: paths.audit, bytes: isServer ? config.audit.reserveBytes : 0 };
  closing.defer(await keepReserve(reserve, base));
  let outlets: Outlets | undefined;
  // Until the outlets are open nobody knows what they need.
  const undelivered = () => outlets?.neededFrom() ?? (isServer ? 0 : Number.POSITIVE_INFINITY);
  const sequencer = await openLog(config, paths, { ...base, store, audit, undelivered });
  closing.defer(() => sequencer.close());
  // Before the sequencer, which then takes up and signs what was written last.
  closing.defer(() => audit.close());

  const keeperParts = { ...base, sequencer, store };
  outlets = isServer ? await openLogOutlets({ config, paths }, keeperParts) : undefined;
  closing.defer(async () => outlets?.close());
  const witnesses = isServer ? openLogWitnesses({ config, paths }, keeperParts) : undefined;
  closing.defer(async () => witnesses?.close());
  const senders = [outlets, witnesses].filter((one) => one !== undefined);
  const log = createLogKeeper(keeperParts, senders);

  const content = await openContent({ directory: paths.content }, base);
  const sources = openSources(config, paths, {
    ...base,
    content,
    links: store.links,
    linkWrites: store.links,
  });
  closing.defer(async () => void (await Promise.all(sources.all.map(({ source }) => source.close()))));
  const scanTokens = createScanTokens();
  const runner = openRunner(config, { ...base, metrics, store, content, sources, scanTokens });
  closing.defer(runner.close);

  const attempts = createAttempts(attemptOptions(config), base);
  const traffic = createTrafficCounts(base);
  const hub = createMetricsHub(base.clock);
  const webhooks = createWebhookKeeper();
  const feeds = openFeeds(config, { ...base, store });
  const server = await serveRpc(
    { socketPath: paths.houseSocket, isWhole: line.isWhole },
    rpcParts(store, { scans: runner.runner.requests, attempts, traffic, hub, log, feeds, webhooks }),
    base,
  );
  closing.defer(() => server.close());
  const others = await openReplicas({ config, paths }, { ...base, replicas, line: server });
  closing.defer(async () => void (await others?.close()));
  line.connect(server, others);
  if (isServer) await inTurn(() => ensurePolicies(config, { ...base, facts: store.facts }));
  const hasher = createPasswordHasher(DEFAULT_PASSWORD_HASH_OPTIONS, base);
  const firstAdmin = await inTurn(() =>
    ensureFirstAdmin(
      { password: config.adminPassword, passwordPath: paths.adminPassword },
      { ...base, accounts: store.accounts, hasher },
    ),
  );

  const { changes } = server;
  const memory = await openMemory(config, paths, base);
  closing.defer(() => memory?.close());
  const breached = await openBreached(config);
  closing.defer(async () => void (await breached?.close()));
  const surfaces = createSurfaces(
    { config, paths, version, hosts: hostsOf(config) },
    {
      ...base,
      accounts: store.accounts,
      links: store.links,
      inventory: store.inventory,
      quotas: store.quotas,
      linkWrites: store.links,
      facts: store.facts,
      manifests: store.manifests,
      records: store.recordIndex,
      log,
      feeds,
      webhooks,
      attempts,
      scans: runner.runner.requests,
      memory: memory?.verdicts,
      sessionKey: await readSharedKey(paths.sessionKey),
      secretsKey: await readSharedKey(paths.secretsKey),
      breached,
      external: openLdap(config, base),
      ...{ changes, audit, content, sources, metrics },
      // Only the socket of this machine leads here.
      traffic: UNLIMITED_TRAFFIC,
    },
  );
  closing.defer(() => surfaces.close());
  const told = openNodeWebhooks(
    { config, paths, isServer },
    { ...base, store, sequencer, changes, metrics, verdicts: surfaces.verdicts },
  );
  closing.defer(() => told.close());
  webhooks.connect(told);
  scanTokens.connect({ tokens: surfaces.tokens, accounts: store.accounts });
  if (isServer) {
    closing.defer(changes.onChange(({ topic }) => topic === 'facts' && runner.runner.heard()));
    runner.runner.start();
    measureLag(metrics, log);
    metrics.gauge({
      name: 'dockgate_scan_queue',
      help: 'Scans that wait or run.',
      read: () => store.jobs.count(),
    });
    const probes = probeUpstreams(sources, base);
    closing.defer(() => probes.stop());
    metrics.gauge({
      name: 'dockgate_upstreams_away',
      help: 'Registries behind the gateway that did not answer the last probe.',
      read: () => probes.away(),
    });
    const housework = keepHouse({ config, paths }, { ...base, store, content });
    closing.defer(() => housework.stop());
    let damaged = 0;
    metrics.gauge({
      name: 'dockgate_content_damaged',
      help: 'Stored contents that were found damaged and removed since the start.',
      read: () => damaged,
    });
    const scrub = startScrub(
      { bytesPerSecond: config.content.scrub },
      {
        ...base,
        content,
        inventory: store.inventory,
        onDamaged() {
          damaged += 1;
        },
      },
    );
    closing.defer(() => scrub.stop());
    const loading = keepFeeds(config, feeds, { ...base, store, metrics });
    closing.defer(() => loading.stop());
    const accountParts = { ...base, accounts: store.accounts, changes };
    closing.defer(await forgetPasswordOnChange(paths.adminPassword, accountParts));
  }
  return {
    ...{ paths, surfaces, hub, firstAdmin },
    isReady: () => audit.isWritable() && sequencer.isHealthy() && line.isWhole(),
  };
}

interface Base {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** What the address of a Unix socket has room for, on Linux and macOS. */
const SOCKET_PATH_BYTES_MAX = 103;

async function prepare(paths: Paths, { clock, random }: Base): Promise<void> {
  if (Buffer.byteLength(paths.houseSocket) > SOCKET_PATH_BYTES_MAX) {
    throw new StartError(
      `${paths.data}: the path is too long for sockets in it: choose a shorter one with --data`,
    );
  }
  // What a scan has left that did not end.
  rmSync(paths.scanWork, { recursive: true, force: true });
  const { data, keys, tokenKeys, run, uploads, audit, scanWork } = paths;
  for (const path of [data, keys, tokenKeys, run, uploads, audit, scanWork]) makePrivateDirectory(path);
  ensureTokenKey(paths.tokenKeys, { clock });
  await ensureSharedKey(paths.sessionKey, random);
  await ensureSharedKey(paths.cacheKey, random);
  await ensureSharedKey(paths.ticketKeys, random);
  await ensureSharedKey(paths.secretsKey, random);
}

/** The store publishes before the line to the workers is open; until then nobody holds anything. */
function createLine(): {
  connect(server: RpcServer, others: ReplicaChanges | undefined): void;
  publish(changes: readonly Change[]): Promise<void>;
  /** Whether this node hears of what other replicas change; before they can be heard of, it does not. */
  isWhole(): boolean;
} {
  let server: RpcServer | undefined;
  let others: ReplicaChanges | undefined;
  return {
    connect(opened, replicas) {
      server = opened;
      others = replicas;
    },
    async publish(changes) {
      await Promise.all([server?.publish(changes), others?.publish(changes)]);
    },
    isWhole: () => server !== undefined && (others?.isWhole() ?? true),
  };
}

async function openLog(
  config: NodeConfig,
  paths: Paths,
  parts: Base & {
    readonly store: StoreWrites;
    readonly audit: AuditWriter;
    readonly undelivered: () => number;
  },
): Promise<Sequencer> {
  const key = await loadOrCreateLogKey(paths.logKey);
  const { retention } = config.audit;
  const { recordIndex } = parts.store;
  const options = { directory: paths.audit, node: config.node, keyPath: paths.logKey, retention };
  return openSequencer(options, { ...parts, key, index: recordIndex, records: recordIndex });
}

function openRunner(
  config: NodeConfig,
  parts: Base &
    Pick<Parameters<typeof createScanContent>[0], 'content' | 'sources'> & {
      readonly store: StoreWrites;
      readonly metrics: Metrics;
      readonly scanTokens: ScanTokens;
    },
): { readonly runner: ScanRunner; readonly close: () => Promise<void> } {
  const { store, content, sources } = parts;
  const scanners = openScanners(config, parts);
  const runner = createScanRunner(
    { isShared: store.replicas !== undefined },
    {
      ...parts,
      jobs: store.jobs,
      facts: store.facts,
      listPulled: () => listPulled(store.recordIndex, parts.clock),
      scanners: scanners.all.map((scanner) => measuredScanner(scanner, parts)),
      targets: createScanContent({ content, links: store.links, sources }),
    },
  );
  return {
    runner,
    async close() {
      await runner.close();
      await scanners.close();
    },
  };
}

/** What workers may ask for; everything else of the store stays in this process. */
function rpcParts(
  store: StoreWrites,
  parts: {
    readonly scans: ScanRequests;
    readonly attempts: Attempts;
    readonly traffic: TrafficCounts;
    readonly hub: MetricsHub;
    readonly log: LogKeeper;
    readonly feeds: FeedRefresh;
    readonly webhooks: WebhookKeeper;
  },
): RpcParts {
  const { scans, attempts, traffic, hub, log, feeds, webhooks } = parts;
  const { search, count } = store.recordIndex;
  return {
    accounts: store.accounts,
    links: store.links,
    facts: store.facts,
    scans,
    attempts,
    traffic,
    log,
    // What reads only: nothing that a gateway worker says changes the index.
    records: { search, count },
    feeds: { refreshAll: feeds.refreshAll },
    webhooks,
    metrics: { report: hub.report },
  };
}
