import type { FeedRefresh, LogKeeper, WebhookKeeper } from '../api/index.ts';
import { openAuditWriter, type RecordIndexReads } from '../audit/index.ts';
import type { AccountWrites } from '../auth/index.ts';
import { isErrorWithCode, StartError, systemClock, systemRandom } from '../base/index.ts';
import { connectRpc, createRemoteAttempts, createRemoteScans, remotePart } from '../cluster/index.ts';
import { createLinkMemory, type LinkWrites, openContent } from '../content/index.ts';
import { createListener, type Listener } from '../gateway/index.ts';
import { openStoreReads } from '../store/index.ts';
import { createLogger, createMetrics, type MetricsHub } from '../telemetry/index.ts';
import { createTickets, openClientAuthorities, openTls } from '../tls/index.ts';
import { createTraffic, type TrafficCounts } from '../traffic/index.ts';
import type { FactWrites } from '../verdicts/index.ts';
import { attemptOptions } from './attempt-options.ts';
import { combine } from './combine.ts';
import { measuredAudit } from './measured.ts';
import { certificateNamesOf, hostsOf } from './names.ts';
import type { NodeConfig } from './node-config.ts';
import { openBreached } from './open-breached.ts';
import { openLdap } from './open-ldap.ts';
import { openMemory } from './open-memory.ts';
import { scannerNames } from './open-scanners.ts';
import { openSources } from './open-sources.ts';
import { pathsOf } from './paths.ts';
import { runChild } from './run-child.ts';
import { shareOfNotes } from './share-of-notes.ts';
import { readSharedKey } from './shared-keys.ts';
import { storeOptions } from './store-options.ts';
import { createSurfaces } from './surfaces.ts';
import { takeUpTrust } from './take-up-trust.ts';
import { trafficOptions } from './traffic-options.ts';

const REPORT_EVERY_MS = 5000;
/** For feeds to be loaded anew. */
const FEEDS_MS_MAX = 120_000;
/** What this process counted decides until the common count is there. */
const TRAFFIC_MS_MAX = 1000;
const CERTIFIED_SESSION_SECONDS = 300;

/** One of the processes that answer on the TLS port. It writes nothing but access records, content and uploads. */
await runChild(async ({ config, version, name }, closing) => {
  const clock = systemClock;
  const random = systemRandom;
  const logger = createLogger({ process: name, level: config.logLevel });
  const metrics = createMetrics();
  const paths = pathsOf(config.dataDirectory);

  const rpc = connectRpc({ socketPath: paths.houseSocket }, { clock, logger });
  closing.defer(() => rpc.close());
  const { changes } = rpc;
  const reads = await openStoreReads(storeOptions(config), { logger });
  closing.defer(() => reads.close());
  const { links, close: forgetLinks } = createLinkMemory(
    // Replicas hear of each other's changes a moment after whoever made them.
    { keepsTags: config.postgres === undefined },
    { links: reads.links, changes, clock },
  );
  closing.defer(forgetLinks);
  const writer = await openAuditWriter(
    {
      ...{ directory: paths.audit, node: config.node, writer: name },
      ...config.audit,
      ...shareOfNotes(config.workers),
    },
    { clock, random, logger },
  );
  const audit = measuredAudit(writer, { metrics, clock });
  closing.defer(() => audit.close());
  const content = await openContent({ directory: paths.content }, { clock, random, logger });
  const linkWrites = remotePart<LinkWrites>(rpc, 'links', { repeatable: ['linkBlob', 'linkManifest'] });
  const sources = openSources(config, paths, {
    content,
    links,
    linkWrites,
    clock,
    random,
    logger,
  });
  closing.defer(async () => void (await Promise.all(sources.all.map(({ source }) => source.close()))));
  const memory = await openMemory(config, paths, { clock, random, logger });
  closing.defer(() => memory?.close());
  const breached = await openBreached(config);
  closing.defer(async () => void (await breached?.close()));
  const counts = remotePart<TrafficCounts>(rpc, 'traffic', { timeoutMs: TRAFFIC_MS_MAX });
  const traffic = createTraffic({ name, ...trafficOptions(config) }, { counts, clock });
  closing.defer(() => traffic.close());
  const searches = remotePart<Pick<RecordIndexReads, 'search' | 'count'>>(rpc, 'records', {
    repeatable: ['search', 'count'],
  });
  const surfaces = createSurfaces(
    { config, paths, version, hosts: hostsOf(config) },
    {
      accounts: combine(reads.accounts, remotePart<AccountWrites>(rpc, 'accounts')),
      facts: combine(reads.facts, remotePart<FactWrites>(rpc, 'facts', { repeatable: ['seeDigest'] })),
      attempts: createRemoteAttempts(rpc, attemptOptions(config), { clock }),
      scans: createRemoteScans(rpc, scannerNames(config)),
      inventory: reads.inventory,
      quotas: reads.quotas,
      manifests: { ...reads.manifests, manifestsNaming: links.manifestsNaming },
      // A cold search takes tens of milliseconds, in which this process would serve nobody.
      records: { ...reads.recordIndex, search: searches.search, count: searches.count },
      log: remotePart<LogKeeper>(rpc, 'log'),
      feeds: remotePart<FeedRefresh>(rpc, 'feeds', { timeoutMs: FEEDS_MS_MAX }),
      webhooks: remotePart<WebhookKeeper>(rpc, 'webhooks'),
      memory: memory?.verdicts,
      sessionKey: await readSharedKey(paths.sessionKey),
      secretsKey: await readSharedKey(paths.secretsKey),
      breached,
      external: openLdap(config, { logger }),
      ...{ links, linkWrites, changes, audit, content, sources, metrics, traffic, clock, random, logger },
    },
  );
  closing.defer(() => surfaces.close());
  takeUpTrust(surfaces, { logger });

  const tls = await openTls(
    { directory: config.certsDirectory, ...certificateNamesOf(config), mayIssue: false },
    { clock, random, logger },
  );
  closing.defer(() => tls.close());
  const clients = config.clientCertificates
    ? await openClientAuthorities(config.clientCertificates, { logger })
    : undefined;
  closing.defer(() => clients?.close());
  const context = () => ({
    ...tls.context(),
    ...clients?.context(),
    // Whether a certificate is over is seen in whole handshakes alone.
    ...(clients ? { sessionTimeout: CERTIFIED_SESSION_SECONDS } : {}),
  });
  const listener = createListener(
    { tls: context(), asksForCertificates: clients !== undefined, proxies: config.proxies, ...config.limits },
    { gateway: surfaces.gateway, others: surfaces.api(), audit, random, logger },
  );
  const tickets = createTickets({ secret: await readSharedKey(paths.ticketKeys) }, { clock, random });
  const takeUpSessions = () => tickets.serve(listener.server, JSON.stringify(clients?.context() ?? {}));
  takeUpSessions();
  const renew = (): void => {
    listener.renew(context());
    takeUpSessions();
  };
  tls.onReload(renew);
  clients?.onReload(() => {
    renew();
    listener.forgetCertificates();
  });
  metrics.observeServer(listener.server);
  const hub = remotePart<Pick<MetricsHub, 'report'>>(rpc, 'metrics');
  const report = setInterval(() => {
    // The next report comes soon; one that is lost costs nothing.
    metrics
      .snapshot()
      .then((snapshot) => hub.report(name, snapshot))
      .catch(() => {});
  }, REPORT_EVERY_MS);
  closing.defer(() => clearInterval(report));
  await listen(listener, config);
  closing.defer(() => listener.drain());
  return {};
});

/** What stands in the way, and what to do about it. */
function whyNot(error: Error): string {
  if (isErrorWithCode(error, 'EADDRINUSE')) return 'another process listens there; stop it';
  if (isErrorWithCode(error, 'EACCES')) {
    return 'ports below 1024 need the capability CAP_NET_BIND_SERVICE; give it';
  }
  if (isErrorWithCode(error, 'EADDRNOTAVAIL')) return 'this machine does not have the address; mend --listen';
  return error.message;
}

function listen(listener: Listener, config: NodeConfig): Promise<void> {
  return new Promise((resolve, reject) => {
    listener.server.once('error', (error) => {
      const where =
        config.listen === undefined ? `port ${config.port}` : `${config.listen} port ${config.port}`;
      reject(
        new StartError(`${where} cannot be listened on: ${whyNot(error)}, or choose another with --port`),
      );
    });
    listener.server.listen(config.port, config.listen, resolve);
  });
}
