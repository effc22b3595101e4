import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import type * as z from 'zod';
import { type AddressRange, DAY_MS, parseAddressRange, SECOND_MS, StartError } from '../base/index.ts';
import { type Policy, parsePolicyDocument, unknownSigners } from '../policy/index.ts';
import { type DatabaseConfig, databaseProblems, toDatabase } from './database.ts';
import { type FeedsConfig, toFeeds } from './feeds.ts';
import { readConfigFile } from './files.ts';
import { type ConfigOptions, type Environment, layEnvironment, layOptions } from './layers.ts';
import { type LdapConfig, ldapProblems, toLdap } from './ldap.ts';
import { type OutletConfig, outletProblems, toOutlet } from './outlets.ts';
import { type ProviderConfig, providerProblems, toProvider } from './providers.ts';
import { type RedisConfig, redisProblems, toRedis } from './redis.ts';
import { type ScannersConfig, scannerProblems, toScanners } from './scanners.ts';
import { readAddressPort, type Settings, schema } from './schema.ts';
import { createSecrets, exclusive, type Problem } from './secrets.ts';
import { printPath, readPath, Tree } from './tree.ts';
import { type TrustConfig, toTrust, trustedNames, trustProblems } from './trust.ts';
import { toUpstream, type UpstreamConfig, upstreamProblems } from './upstreams.ts';
import { toWebhook, type WebhookConfig, webhookProblems } from './webhooks.ts';
import { toWitness, type WitnessConfig, witnessProblems } from './witnesses.ts';
import { readYaml } from './yaml-file.ts';

/** The configuration after every check: paths absolute, secrets read, defaults filled in. */
export interface Config
  extends Pick<Settings, 'port' | 'names' | 'service' | 'node' | 'unmatched' | 'logLevel'>,
    DatabaseConfig {
  /** The file that was read, if any. */
  readonly file: string | undefined;
  /** Absent: every address. */
  readonly listen: string | undefined;
  readonly ops: { readonly address: string; readonly port: number };
  /** Without a slash at the end. Unless set it ends in `port`, also where that is 0. */
  readonly publicUrl: string;
  /** At least 1. */
  readonly workers: number;
  readonly dataDirectory: string;
  readonly certsDirectory: string;
  readonly adminPassword: string | undefined;
  readonly upstreams: readonly UpstreamConfig[];
  readonly redis: RedisConfig | undefined;
  readonly ldap: LdapConfig | undefined;
  readonly providers: readonly ProviderConfig[];
  readonly workloads: readonly WorkloadConfig[];
  /** Absent: no certificates are asked for. */
  readonly clientCertificates: ClientCertificatesConfig | undefined;
  readonly token: { readonly lifetimeSeconds: number; readonly refreshUnusedMsMax: number };
  readonly signIn: {
    readonly freeCount: number;
    readonly delayMsMax: number;
    readonly breachedPath: string | undefined;
  };
  /** Content of registries behind the gateway. */
  readonly content: { readonly scrub: number };
  readonly cache: { readonly bytesMax: number; readonly prefetchBytes: number };
  readonly audit: {
    readonly durability: 'disk' | 'os';
    readonly waitMsMax: number;
    readonly retention: { readonly ageMs: number | undefined; readonly bytesMax: number | undefined };
    readonly reserveBytes: number;
    readonly outlets: readonly OutletConfig[];
    readonly witnesses: readonly WitnessConfig[];
  };
  readonly webhooks: readonly WebhookConfig[];
  readonly scanners: ScannersConfig;
  readonly feeds: FeedsConfig;
  readonly trust: TrustConfig;
  readonly limits: LimitsConfig;
  readonly proxies: ProxiesConfig;
  readonly policies: readonly Policy[];
}

/** A second, on average over a window; `streams` at once. */
export interface Allowance {
  readonly requests?: number | undefined;
  readonly bytes?: number | undefined;
  readonly streams?: number | undefined;
}

export interface ClientCertificatesConfig {
  readonly caFile: string;
  readonly crlFile: string | undefined;
  readonly use: 'alone' | 'second-factor';
  readonly rules: Settings['clientCertificates']['rules'];
}

export interface WorkloadConfig {
  readonly issuer: string;
  readonly audiences: readonly string[];
  readonly lifetimeMsMax: number;
  readonly rules: readonly {
    readonly robot: string;
    readonly claims: Readonly<Record<string, string>>;
  }[];
  readonly caFile: string | undefined;
  readonly allowsPrivate: boolean;
}

export interface ProxiesConfig {
  readonly trusted: readonly AddressRange[];
  readonly proxyProtocol: boolean;
}

export interface LimitsConfig {
  readonly headerMsMax: number;
  readonly idleMsMax: number;
  readonly headerBytesMax: number;
  /** Of one worker. */
  readonly connectionsPerAddressMax: number;
  readonly address: Allowance;
  readonly principal: Allowance;
  readonly repositories: readonly {
    /** Pattern of repositories. */
    readonly on: string;
    readonly allowance: Allowance;
    /** Quota in bytes. */
    readonly storageMax: number | undefined;
  }[];
  /** Of one principal. */
  readonly uploadSessionsMax: number;
  readonly uploadBytesMax: number;
  readonly pendingMs: number;
  /** Of one worker. */
  readonly heldRequestsMax: number;
  readonly heldPerPrincipalMax: number;
  readonly holdMsMax: number;
  readonly drainMsMax: number;
}

export interface Loaded {
  readonly config: Config;
  /** What was given and where, for `config explain`. */
  readonly tree: Tree;
}

export interface ConfigSource {
  readonly options: ConfigOptions;
  readonly environment: Environment;
  /** What relative paths start from. */
  readonly directory: string;
}

const DEFAULT_FILE = join('config', 'dockgate.yaml');

/**
 * Reads the configuration: file, over it the environment, over that the command line.
 *
 * @throws {StartError} everything that is wrong with the values, one line each: where it stands, the key, what is
 *   allowed. Nothing is guessed and no unknown key is passed over.
 */
export async function loadConfig(source: ConfigSource): Promise<Loaded> {
  const tree = new Tree();
  const file = await layFile(tree, source);
  layEnvironment(tree, source.environment);
  layOptions(tree, source.options);
  const parsed = schema.safeParse(tree.root);
  if (!parsed.success) throw problemsOf(tree, parsed.error.issues.flatMap(problemOf));
  refuseContradictions(tree, parsed.data);
  return { config: await toConfig(tree, parsed.data, file, source), tree };
}

async function layFile(tree: Tree, { options, directory }: ConfigSource): Promise<string | undefined> {
  const name = options.config ?? DEFAULT_FILE;
  const text = await readConfigFile(resolve(directory, name), options.config === undefined);
  if (text === undefined) return undefined;
  readYaml(tree, name, text);
  return resolve(directory, name);
}

function problemOf(issue: z.core.$ZodIssue): readonly Problem[] {
  const path = issue.path.filter((step) => typeof step !== 'symbol');
  if (issue.code !== 'unrecognized_keys') return [{ path, message: issue.message }];
  return issue.keys.map((key) => ({ path: [...path, key], message: issue.message, isKey: true }));
}

function problemsOf(tree: Tree, problems: readonly Problem[]): StartError {
  const lines = problems.map(({ path, message, isKey }) => {
    const origin = isKey ? tree.keyOriginOf(path) : tree.originOf(path);
    return `${origin === undefined ? 'configuration' : origin}: ${printPath(path)}: ${message}`;
  });
  return new StartError(lines.join('\n'));
}

function refuseContradictions(tree: Tree, settings: Settings): void {
  const problems = [
    ...exclusive(settings, [], 'adminPassword'),
    ...redisProblems(settings),
    ...outletProblems(settings.audit.outlets),
    ...witnessProblems(settings.audit.witnesses),
    ...webhookProblems(settings.webhooks),
    ...settings.upstreams.flatMap((upstream, index) => upstreamProblems(settings, upstream, index)),
    ...ldapProblems(settings),
    ...providerProblems(settings),
    ...scannerProblems(settings.scanners),
    ...trustProblems(settings.trust),
    ...databaseProblems(settings),
  ];
  const ops = readAddressPort(settings.opsListen);
  const opsPort = settings.opsPort ?? ops?.port;
  if (settings.proxies.proxyProtocol && settings.proxies.trusted.length === 0) {
    problems.push({ path: ['proxies', 'proxyProtocol'], message: 'trusted is empty: whose headers?' });
  }
  for (const [index, { storage }] of settings.limits.repositories.entries()) {
    if (storage === undefined || settings.upstreams.length === 0) continue;
    const message = 'quotas are of the embedded registry, and upstreams are configured';
    problems.push({ path: ['limits', 'repositories', index, 'storage'], message });
  }
  if (settings.port !== 0 && opsPort === settings.port && overlaps(settings.listen, ops?.address)) {
    problems.push({ path: ['opsListen'], message: `uses port ${settings.port}, which is the gateway's own` });
  }
  if (problems.length > 0) throw problemsOf(tree, problems);
}

function overlaps(listen: string | undefined, ops: string | undefined): boolean {
  const isEvery = (address: string | undefined) =>
    address === undefined || address === '0.0.0.0' || address === '::';
  return isEvery(listen) || isEvery(ops) || listen === ops;
}

async function toConfig(
  tree: Tree,
  settings: Settings,
  file: string | undefined,
  source: ConfigSource,
): Promise<Config> {
  const { directory } = source;
  const { port, names, service, node, unmatched, logLevel, listen, token, signIn, audit } = settings;
  const secrets = createSecrets(tree, directory);
  const ops = readAddressPort(settings.opsListen) ?? { address: '127.0.0.1', port: 0 };
  const dataDirectory = resolve(directory, settings.dataDirectory);
  return {
    ...{ port, names, service, node, unmatched, logLevel, listen, file, dataDirectory },
    ops: { address: ops.address, port: settings.opsPort ?? ops.port },
    publicUrl: new URL(settings.publicUrl ?? `https://localhost:${port}`).origin,
    workers: settings.workers === 0 ? availableParallelism() : settings.workers,
    certsDirectory: resolve(directory, settings.certsDirectory),
    adminPassword: await secrets.read(settings, [], 'adminPassword'),
    upstreams: await Promise.all(
      settings.upstreams.map((upstream, index) => toUpstream(upstream, index, secrets, source)),
    ),
    redis: await toRedis(settings, secrets),
    ldap: await toLdap(settings, secrets, directory),
    providers: await Promise.all(
      settings.providers.map((provider, index) => toProvider(provider, index, secrets, directory)),
    ),
    ...(await toDatabase(settings, secrets, { directory, dataDirectory })),
    workloads: settings.workloads.map((workload) => ({
      issuer: workload.issuer,
      audiences: workload.audiences,
      lifetimeMsMax: workload.tokenLifetimeMax,
      rules: workload.rules,
      caFile: workload.caFile === undefined ? undefined : resolve(directory, workload.caFile),
      allowsPrivate: workload.privateAddresses,
    })),
    clientCertificates: toClientCertificates(settings.clientCertificates, directory),
    token: { lifetimeSeconds: token.lifetime / SECOND_MS, refreshUnusedMsMax: token.refreshUnused },
    signIn: {
      freeCount: signIn.freeAttempts,
      delayMsMax: signIn.delayMax,
      breachedPath:
        signIn.breachedPasswordsFile === undefined
          ? undefined
          : resolve(directory, signIn.breachedPasswordsFile),
    },
    content: settings.content,
    cache: settings.cache,
    audit: {
      ...toAudit(audit),
      outlets: await Promise.all(
        audit.outlets.map((outlet, index) => toOutlet(outlet, index, secrets, directory)),
      ),
      witnesses: await Promise.all(
        audit.witnesses.map((witness, index) => toWitness(witness, index, secrets, directory)),
      ),
    },
    webhooks: await Promise.all(
      settings.webhooks.map((webhook, index) => toWebhook(webhook, index, secrets, directory)),
    ),
    scanners: await toScanners(settings.scanners, secrets, directory),
    feeds: toFeeds(settings.feeds, directory),
    trust: await toTrust(settings.trust, directory, secrets.where),
    limits: toLimits(settings.limits),
    proxies: toProxies(settings.proxies),
    policies: readPolicies(tree, settings),
  };
}

function toAudit({
  durability,
  wait,
  retention,
  reserve,
}: Settings['audit']): Omit<Config['audit'], 'outlets' | 'witnesses'> {
  const { days, bytes } = retention;
  return {
    durability,
    waitMsMax: wait,
    reserveBytes: reserve,
    retention: { ageMs: days === 0 ? undefined : days * DAY_MS, bytesMax: bytes },
  };
}

function toClientCertificates(
  { caFile, crlFile, use, rules }: Settings['clientCertificates'],
  directory: string,
): ClientCertificatesConfig | undefined {
  if (caFile === undefined) return undefined;
  return {
    ...{ caFile: resolve(directory, caFile), use, rules },
    crlFile: crlFile === undefined ? undefined : resolve(directory, crlFile),
  };
}

function toLimits(limits: Settings['limits']): LimitsConfig {
  return {
    headerMsMax: limits.header,
    idleMsMax: limits.idle,
    headerBytesMax: limits.headerBytes,
    connectionsPerAddressMax: limits.connectionsPerAddress,
    address: limits.address,
    principal: limits.principal,
    repositories: limits.repositories.map(({ on, storage, ...allowance }) => ({
      ...{ on, allowance, storageMax: storage },
    })),
    uploadSessionsMax: limits.uploadSessions,
    uploadBytesMax: limits.uploadBytes,
    pendingMs: limits.upload,
    heldRequestsMax: limits.heldRequests,
    heldPerPrincipalMax: limits.heldPerPrincipal,
    holdMsMax: limits.hold,
    drainMsMax: limits.drain,
  };
}

function toProxies({ trusted, proxyProtocol }: Settings['proxies']): ProxiesConfig {
  return {
    trusted: trusted.flatMap((text) => parseAddressRange(text) ?? []),
    proxyProtocol,
  };
}

function readPolicies(tree: Tree, settings: Settings): readonly Policy[] {
  const document = parsePolicyDocument({ policies: settings.policies });
  const problems = document.ok
    ? unknownSigners(document.policies, trustedNames(settings.trust))
    : document.problems;
  if (document.ok && problems.length === 0) return document.policies;
  throw problemsOf(
    tree,
    problems.map(({ path, message }) => ({ path: readPath(path), message })),
  );
}
