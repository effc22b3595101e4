import { hash } from 'node:crypto';
import { statfs } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  type ApiParts,
  createApi,
  type FeedRefresh,
  type LogKeeper,
  type WebhookKeeper,
} from '../api/index.ts';
import type { AuditWriter, RecordIndexReads } from '../audit/index.ts';
import {
  type AccountReads,
  type AccountWrites,
  type Attempts,
  type BreachedPasswords,
  createAuthenticator,
  createClientCertificates,
  createDirectory,
  createPasswordHasher,
  createProgramSignIns,
  createRefreshTokens,
  createSeal,
  createSecondFactor,
  createTokenIssuer,
  createWorkloadSignIn,
  DEFAULT_PASSWORD_HASH_OPTIONS,
  type External,
  type Identity,
  openKeyRing,
  type TokenIssuer,
} from '../auth/index.ts';
import type { Changes, Clock, Logger, Random } from '../base/index.ts';
import { trustedNames } from '../config/index.ts';
import type { Content, Inventory, LinkReads, LinkWrites, Quotas } from '../content/index.ts';
import {
  createGateway,
  createPrefetch,
  createReferrerImports,
  createTagMemory,
  createUploadSessions,
  type Gateway,
  importTags,
  listUpstreamRepositories,
  type Sources,
} from '../gateway/index.ts';
import type { Repository } from '../oci/index.ts';
import type { Metrics } from '../telemetry/index.ts';
import type { Traffic } from '../traffic/index.ts';
import { createVouchers, readTrust } from '../trust/index.ts';
import {
  createTrials,
  createVerdicts,
  type FactReads,
  type FactWrites,
  type ManifestReads,
  type ScanRequests,
  type VerdictMemory,
  type Verdicts,
} from '../verdicts/index.ts';
import { createFetchDocument } from './fetch-document.ts';
import { measuredVerdicts } from './measured.ts';
import type { NodeConfig } from './node-config.ts';
import { openProviders } from './open-providers.ts';
import type { Paths } from './paths.ts';
import { createRegistries } from './registries.ts';
import { registryOf } from './registry-of.ts';
import { createReports } from './reports.ts';
import { createSignatureContent } from './signature-content.ts';

/** What both kinds of process give to what people and clients speak to. */
export interface SurfaceParts {
  readonly accounts: AccountReads & AccountWrites;
  readonly links: LinkReads;
  readonly inventory: Inventory;
  readonly quotas: Quotas;
  readonly linkWrites: LinkWrites;
  readonly facts: FactReads & FactWrites;
  readonly manifests: ManifestReads;
  readonly records: RecordIndexReads;
  readonly log: LogKeeper;
  readonly feeds: FeedRefresh;
  readonly webhooks: WebhookKeeper;
  readonly attempts: Attempts;
  readonly scans: ScanRequests;
  readonly memory: VerdictMemory | undefined;
  readonly changes: Changes;
  readonly audit: AuditWriter;
  /** Seals upload sessions; the same in every process. */
  readonly sessionKey: Uint8Array;
  /** Seals what is kept in SQL; the same in every process. */
  readonly secretsKey: Uint8Array;
  readonly breached: BreachedPasswords | undefined;
  readonly external: External | undefined;
  readonly content: Content;
  readonly sources: Sources;
  readonly metrics: Metrics;
  readonly traffic: Traffic;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface Surfaces {
  readonly gateway: Gateway;
  readonly tokens: TokenIssuer;
  readonly verdicts: Pick<Verdicts, 'peek'>;
  /** @param fixed the identity of everyone who comes this way (the Unix socket); absent: each proves its own. */
  api(fixed?: Identity): (request: IncomingMessage, response: ServerResponse) => void;
  /**
   * Signatures are judged by this from now on.
   * @throws {StartError} a key or a certificate cannot be used; what was trusted before stays.
   */
  replaceTrust(trust: NodeConfig['trust']): void;
  close(): void;
}

const DIRECTORY_ENTRIES_MAX = 20_000;

/** Builds the registry and the API over one set of services. */
export function createSurfaces(
  options: {
    readonly config: NodeConfig;
    readonly paths: Paths;
    readonly version: string;
    readonly hosts: ReadonlySet<string>;
  },
  parts: SurfaceParts,
): Surfaces {
  const { config, paths } = options;
  const { accounts, changes, clock, random, logger } = parts;
  const directory = createDirectory({ entriesMax: DIRECTORY_ENTRIES_MAX }, { accounts, changes, clock });
  const hasher = createPasswordHasher(DEFAULT_PASSWORD_HASH_OPTIONS, { random });
  const keys = openKeyRing(paths.tokenKeys, {
    changes,
    onReloadFailed: (cause) =>
      logger.error('the token keys could not be read again; those before stay in use', {}, cause),
  });
  const tokens = createTokenIssuer(
    { issuer: config.publicUrl, service: config.service, lifetimeSeconds: config.token.lifetimeSeconds },
    { keys, clock, random },
  );
  const refreshTokens = createRefreshTokens(
    { unusedMsMax: config.token.refreshUnusedMsMax },
    {
      reads: accounts,
      writes: accounts,
      directory,
      clock,
      random,
      logger,
    },
  );
  const seal = createSeal(parts.secretsKey, { random });
  const secondFactor = createSecondFactor({ accounts, seal, clock, random });
  const workload = createWorkloadSignIn(config.workloads, {
    ...{ accounts, directory, attempts: parts.attempts, clock, logger },
    fetchDocument: (issuer) => createFetchDocument(issuer),
  });
  const authenticator = createAuthenticator({
    secondFactor,
    ...(config.workloads.length === 0 ? {} : { workload }),
    external: parts.external,
    ...(config.clientCertificates
      ? {
          certificates: createClientCertificates(config.clientCertificates, { accounts, directory, clock }),
        }
      : {}),
    accounts,
    directory,
    attempts: parts.attempts,
    hasher,
    changes,
    clock,
    random,
    logger,
    tokens,
    refreshTokens,
  });
  const referrers = createReferrerImports(parts);
  const vouchers = createVouchers({
    clock,
    trust: readTrust(config.trust),
    content: createSignatureContent({ ...parts, referrers }),
  });
  let signers = trustedNames(config.trust);
  const judging = {
    facts: parts.facts,
    manifests: parts.manifests,
    scans: parts.scans,
    vouchers,
    registryOf: (repository: Repository) => registryOf(config, repository),
    changes,
    clock,
    logger,
    hash: (text: string) => hash('sha256', text),
  };
  const known = createVerdicts(
    { heldMax: config.limits.heldRequestsMax, heldPerPrincipalMax: config.limits.heldPerPrincipalMax },
    { ...judging, ...(parts.memory ? { memory: parts.memory } : {}) },
  );
  const trials = createTrials(judging);
  const verdicts = measuredVerdicts(known, parts.metrics);
  const tags = createTagMemory({ changes, clock });
  const prefetch = createPrefetch(
    { bytesMax: config.cache.prefetchBytes },
    { ...parts, freeBytes: () => freeBytesOf(paths.content) },
  );
  const gateway = createGateway(
    {
      service: config.service,
      publicUrl: config.publicUrl,
      hosts: options.hosts,
      pendingMs: config.limits.pendingMs,
      holdMsMax: config.limits.holdMsMax,
    },
    {
      ...parts,
      authenticator,
      directory,
      verdicts,
      sessions: createUploadSessions(parts.sessionKey, random),
      referrers,
      tags,
      prefetch,
    },
  );
  const apiParts: ApiParts = {
    ...parts,
    authenticator,
    directory,
    tokens,
    refreshTokens,
    hasher,
    secondFactor,
    certificateRules: config.clientCertificates,
    providers: openProviders(config, { clock, random }),
    programs: createProgramSignIns({ accounts, directory, attempts: parts.attempts, clock, random }),
    seal,
    keys,
    verdicts,
    trials,
    vouchers,
    signers: () => signers,
    registries: createRegistries(parts.sources),
    reports: createReports(parts),
    imports: {
      listRepositories: (prefix) => listUpstreamRepositories(parts.sources, prefix),
      importTags: (task) => importTags(task, parts),
    },
  };
  return {
    gateway,
    api: (fixed) =>
      createApi(
        { version: options.version, service: config.service, publicUrl: config.publicUrl },
        apiParts,
        fixed,
      ),
    tokens,
    replaceTrust(trust) {
      vouchers.replaceTrust(readTrust(trust));
      signers = trustedNames(trust);
    },
    verdicts: known,
    close() {
      prefetch.close();
      tags.close();
      verdicts.close();
      trials.close();
      authenticator.close();
      directory.close();
      keys.close();
    },
  };
}

async function freeBytesOf(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize;
}
