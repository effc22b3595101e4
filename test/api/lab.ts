import { hash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import supertest from 'supertest';
import { createApi } from '../../src/api/index.ts';
import { type AccessRecord, type AuditEntry, AuditUnavailable } from '../../src/audit/index.ts';
import {
  type ClientCertificatesOptions,
  createAuthenticator,
  createDirectory,
  createPasswordHasher,
  createProgramSignIns,
  createRefreshTokens,
  createSeal,
  createSecondFactor,
  createTokenIssuer,
  DEFAULT_REFRESH_OPTIONS,
  type External,
  ensureTokenKey,
  hashSecret,
  type Identity,
  newRobotSecret,
  openKeyRing,
  type SignInProvider,
} from '../../src/auth/index.ts';
import {
  createLocalChanges,
  createManualClock,
  DAY_MS,
  newId,
  silentLogger,
  systemRandom,
} from '../../src/base/index.ts';
import { openContent } from '../../src/content/index.ts';
import { createAttemptCounter, DEFAULT_ATTEMPT_OPTIONS } from '../../src/limits/index.ts';
import type { Digest, Repository } from '../../src/oci/index.ts';
import type { GrantSubject } from '../../src/roles/index.ts';
import { readReport } from '../../src/scanners/index.ts';
import { openStoreWrites } from '../../src/store/index.ts';
import { UNLIMITED_TRAFFIC } from '../../src/traffic/index.ts';
import { createTrials, createVerdicts } from '../../src/verdicts/index.ts';
import { basic, FAST_HASH } from '../auth/fixtures.ts';
import { repositoryOf } from '../contracts/source-bench.ts';
import { digestOf, image, repository, tag } from '../contracts/store-bench.ts';

const SERVICE = 'dockgate';
export const PASSWORD = 'correct-horse-battery-9';

/** Collects what is recorded; can be told to fail, and to look at the world at the moment of a record. */
function createMemoryAudit() {
  const entries: AuditEntry[] = [];
  const waits: ('record' | 'note')[] = [];
  const state = { isWritable: true, onRecord: async (_entry: AuditEntry): Promise<void> => {} };
  return {
    entries,
    waits,
    state,
    async record(entry: AuditEntry): Promise<AccessRecord> {
      if (!state.isWritable) throw new AuditUnavailable(new Error('disk is full'));
      await state.onRecord(entry);
      entries.push(entry);
      waits.push('record');
      return { ...entry, v: 1, id: 'id', time: '', node: 'n', writer: 'w', seq: entries.length };
    },
    note(entry: AuditEntry) {
      entries.push(entry);
      waits.push('note');
    },
    complete() {},
    isWritable: () => state.isWritable,
  };
}

export type ApiLab = Awaited<ReturnType<typeof openApiLab>>;

/** The config of each of the lab's images but `team/app:list`, which is an index. */
export const CONFIG = digestOf('config');
const INDEX = digestOf('team/app:list');

/** What a default mirror would name anew. */
const MIRRORED = new Map<string, Repository>([['plain', repositoryOf('team/app')]]);

interface LabOptions {
  readonly external?: External;
  readonly providers?: readonly SignInProvider[];
  readonly certificateRules?: ClientCertificatesOptions;
}

/** The API over the real store, the real auth room and real verdicts; only the log and the registries are doubles. */
export async function openApiLab(
  fixed?: Identity,
  { external, providers = [], certificateRules }: LabOptions = {},
) {
  const folder = mkdtempSync(join(tmpdir(), 'dockgate-api-'));
  const clock = createManualClock();
  const random = systemRandom;
  const logger = silentLogger;
  const base = { clock, random, logger };
  const changes = createLocalChanges();
  const store = await openStoreWrites(
    { directory: join(folder, 'data') },
    { ...base, publish: async (all) => all.forEach((change) => void changes.publish(change)) },
  );
  const { accounts } = store;
  const directory = createDirectory({ entriesMax: 100 }, { accounts, changes, clock });
  const hasher = createPasswordHasher(FAST_HASH, base);
  ensureTokenKey(join(folder, 'keys'), { clock });
  const keys = openKeyRing(join(folder, 'keys'), { changes, onReloadFailed: () => {} });
  const tokens = createTokenIssuer(
    { issuer: 'https://localhost:8443', service: SERVICE, lifetimeSeconds: 300 },
    { keys, ...base },
  );
  const refreshTokens = createRefreshTokens(DEFAULT_REFRESH_OPTIONS, {
    reads: accounts,
    writes: accounts,
    directory,
    ...base,
  });
  const counter = createAttemptCounter(DEFAULT_ATTEMPT_OPTIONS, { clock });
  const attempts = {
    delayMs: async (account: string, source: string) => counter.delayMs(account, source),
    failed: async (account: string, source: string) => counter.failed(account, source),
    succeeded: async (account: string, source: string) => counter.succeeded(account, source),
  };
  const seal = createSeal(random.bytes(32), base);
  const secondFactor = createSecondFactor({ accounts, seal, ...base });
  const authenticator = createAuthenticator({
    external,
    secondFactor,
    accounts,
    directory,
    attempts,
    hasher,
    changes,
    tokens,
    refreshTokens,
    ...base,
  });
  const requested: string[] = [];
  const scans = {
    isOffered: (scanner: string) => !scanner.startsWith('ci-'),
    request: async (repository: string, digest: string) => void requested.push(`${repository}@${digest}`),
    wait: async () => ({ isDone: false, restMs: 1000 }),
    status: async () => ({ queued: 0, running: [], scanners: [] }),
  };
  const judging = {
    ...{ facts: store.facts, manifests: store.manifests, scans, changes, clock, logger },
    hash: (text: string) => hash('sha256', text),
  };
  const verdicts = createVerdicts({ heldMax: 10, heldPerPrincipalMax: 10 }, judging);
  const trials = createTrials(judging);
  const content = await openContent({ directory: join(folder, 'content') }, base);
  const audit = createMemoryAudit();
  const attached: string[] = [];
  const app = createApi(
    { version: '1.2.3', service: SERVICE, publicUrl: 'https://reg.example:8443' },
    {
      ...{
        authenticator,
        directory,
        tokens,
        refreshTokens,
        hasher,
        secondFactor,
        providers,
        certificateRules,
        programs: createProgramSignIns({ accounts, directory, attempts, ...base }),
        seal,
        keys,
        accounts,
        verdicts,
        trials,
        scans,
        audit,
      },
      ...base,
      links: store.links,
      linkWrites: store.links,
      inventory: store.inventory,
      quotas: store.quotas,
      content,
      facts: store.facts,
      records: store.recordIndex,
      webhooks: {
        states: async () => [],
        test: async () => ({ outcome: 'taken' as const }),
      },
      log: {
        state: async () => ({ records: 0, indexed: 0, outlets: [] }),
        reindex: async () => {},
      },
      feeds: { refreshAll: async () => {} },
      traffic: UNLIMITED_TRAFFIC,
      vouchers: { findVouched: async () => ({ attested: [], rejected: [] }) },
      signers: () => ['release'],
      registries: {
        nameOf: (repository) => MIRRORED.get(repository) ?? repository,
        resolve: async (repository, reference) =>
          reference.kind === 'tag'
            ? store.links.findTag(repository, reference.tag)
            : (await store.links.findManifest(repository, reference.digest))?.digest,
        health: async () => [{ prefix: '', kind: 'origin', isHealthy: true, note: 'embedded' }],
      },
      reports: {
        read: readReport,
        readImage: async (_repository, digest) =>
          digest === INDEX ? { kind: 'index' } : { kind: 'image', config: CONFIG },
        attach: async (_repository, subject, { digest }) => {
          attached.push(`${subject} ${digest}`);
          return true;
        },
      },
      imports: {
        listRepositories: async (prefix) =>
          ['team/app', 'team/web'].map(repositoryOf).filter((name) => name.startsWith(prefix)),
        importTags: async ({ repository: name, after }) =>
          name === 'team/app'
            ? { tags: after === undefined ? 2 : 0, added: 1, known: 0, failures: [] }
            : undefined,
      },
    },
    fixed,
  );

  async function addUser(name: string, ...grants: readonly (readonly [role: string, on: string])[]) {
    const secretHash = await hasher.hash(PASSWORD);
    if (typeof secretHash !== 'string') throw new Error('busy');
    const nowMs = clock.nowMs();
    const id = newId(random);
    await accounts.addAccount({
      ...{ kind: 'user', id, name, secretHash, isDisabled: false },
      ...{ notBeforeMs: nowMs, createdAtMs: nowMs },
    });
    await grant({ kind: 'user', name }, grants);
    return id;
  }

  async function addRobot(name: string, ...grants: readonly (readonly [role: string, on: string])[]) {
    const secret = newRobotSecret(random);
    const nowMs = clock.nowMs();
    await accounts.addAccount({
      ...{ kind: 'robot', id: newId(random), name, secretHash: hashSecret(secret), isDisabled: false },
      ...{ notBeforeMs: nowMs, createdAtMs: nowMs, expiresAtMs: nowMs + DAY_MS },
    });
    await grant({ kind: 'robot', name }, grants);
    return secret;
  }

  async function grant(
    subject: Pick<GrantSubject, 'kind' | 'name'>,
    grants: readonly (readonly [role: string, on: string])[],
  ): Promise<void> {
    for (const [role, pattern] of grants) {
      await accounts.addGrant({ role, pattern, subject, effect: 'allow' });
    }
  }

  /** Puts an image with a tag into a repository, as a push does. */
  async function addImage(name: string, tagName: string): Promise<Digest> {
    const digest = digestOf(`${name}:${tagName}`);
    await store.links.linkManifest({
      ...{ repository: repository(name), digest, tags: [tag(tagName)], manifest: image([`${name} layer`]) },
      tagRights: { mayCreate: true, mayOverwrite: true },
      ...{ size: 100, requireContent: false, nowMs: clock.nowMs() },
    });
    await store.facts.seeDigest(digest, 'image', clock.nowMs());
    return digest;
  }

  /** One request, as the admin unless told. */
  async function call(method: Method, path: string, given: CallOptions = {}): Promise<supertest.Response> {
    const request = supertest(app)[method](path);
    const { as = 'admin', body, headers = {} } = given;
    if (as !== '') request.set('authorization', as.includes(' ') ? as : basic(as, PASSWORD));
    request.set(headers);
    return body === undefined ? request : request.send(body);
  }

  await addUser('admin', ['admin', '**']);
  return {
    ...{ app, audit, clock, store, changes, requested, attached, keys, tokens, hasher, authenticator },
    ...{ addUser, addRobot, addImage, grant, call },
    lastEntry: () => audit.entries.at(-1),
    async close() {
      authenticator.close();
      verdicts.close();
      trials.close();
      directory.close();
      keys.close();
      await store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

type Method = 'get' | 'post' | 'put' | 'delete' | 'patch' | 'head' | 'options';

interface CallOptions {
  /** A user of the lab, by name; a whole Authorization header; or `''`. */
  readonly as?: string;
  readonly body?: string | object;
  readonly headers?: Readonly<Record<string, string>>;
}
