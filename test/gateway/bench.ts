import { once } from 'node:events';
import { createServer, request as httpRequest, type Server } from 'node:http';
import { promisify } from 'node:util';
import type { AuditEntry } from '../../src/audit/index.ts';
import type { Identity } from '../../src/auth/index.ts';
import { createLocalChanges, silentLogger, systemClock, systemRandom } from '../../src/base/index.ts';
import type { Source, TakePiece } from '../../src/content/index.ts';
import {
  createGateway,
  createSources,
  createTagMemory,
  createUploadSessions,
} from '../../src/gateway/index.ts';
import type { GatewayParts } from '../../src/gateway/parts.ts';
import { type Digest, parseRepository, type Repository } from '../../src/oci/index.ts';
import type { Verdict } from '../../src/policy/index.ts';
import { UNLIMITED_TRAFFIC } from '../../src/traffic/index.ts';
import { type BuiltImage, buildImage } from '../support/image.ts';

/** The parts that a test replaces, by name; of each part only the members it names. */
export type Replaced = { readonly [Part in keyof GatewayParts]?: Partial<GatewayParts[Part]> } & {
  /** The one registry. */
  readonly source?: Partial<Source>;
};

export interface BenchAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
  /** The connection broke in the middle of the body. */
  readonly isCut: boolean;
}

/** The real gateway between a socket and ports that tell what was asked of them. */
export interface GatewayBench {
  readonly image: BuiltImage;
  readonly repository: Repository;
  readonly port: number;
  /** `PART.MEMBER` in the order of the calls; `audit.record` when the record was durable. */
  readonly calls: readonly string[];
  readonly records: readonly AuditEntry[];
  ask(
    method: string,
    path: string,
    options?: { readonly headers?: Record<string, string>; readonly body?: string | Uint8Array },
  ): Promise<BenchAnswer>;
  /** Whether the server knows of no open connection. */
  isAlone(): Promise<boolean>;
  close(): Promise<void>;
}

const PRINCIPAL = { kind: 'user', id: 'u1', name: 'alice' } as const;
const IDENTITY: Identity = { principal: PRINCIPAL, via: 'basic', scopes: undefined };

export function verdictOf(digest: Digest, outcome: Verdict['outcome']): Verdict {
  const reason = { rule: 'secrets', policy: 'p', text: 'a secret', findings: [] } as const;
  return {
    digest,
    outcome,
    reasons: outcome === 'allow' ? [] : [reason],
    warnings: [],
    validUntilMs: Number.MAX_SAFE_INTEGER,
    holdMs: 0,
  };
}

/** One image in `team/app` under tag 1, admitted; the caller may do all. */
export async function startGatewayBench(replaced: Replaced = {}): Promise<GatewayBench> {
  const image = await buildImage();
  const repository = parseRepository('team/app');
  if (!repository) throw new Error('a name that is one');
  const calls: string[] = [];
  const records: AuditEntry[] = [];
  const parts = watched(calls, merged(usualParts(image, records), replaced));
  const options = {
    service: 'dockgate',
    publicUrl: 'https://reg.example',
    hosts: new Set<string>(),
    pendingMs: 1000,
    holdMsMax: 1000,
  };
  const gateway = createGateway(options, parts);
  const server = createServer((request, response) => {
    request.on('error', () => undefined);
    void gateway.handle(request, response, () => undefined);
  });
  const port = await listen(server);
  return {
    ...{ image, repository, port, calls, records },
    ask: (method, path, asked = {}) => ask(port, method, path, asked),
    isAlone: async () => (await promisify(server.getConnections.bind(server))()) === 0,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

type Members = Readonly<Record<string, unknown>>;

/** Everything the gateway may call; a member that is not here is called by nobody. */
function usualParts(image: BuiltImage, records: AuditEntry[]): Readonly<Record<string, Members>> {
  const { digest, mediaType, manifest } = image;
  const layer = image.layers[0];
  if (!layer) throw new Error('an image with a layer');
  const stored = { digest, mediaType, kind: 'image', size: manifest.length, annotations: {} };
  const source = {
    kind: 'origin',
    resolve: async () => digest,
    readManifest: async () => ({ mediaType, bytes: manifest }),
    findBlob: async () => ({ size: layer.bytes.length }),
    listTags: async () => ['1'],
    listRepositories: async () => ['team/app'],
    pushManifest: async () => undefined,
    removeTag: async () => undefined,
    removeManifest: async () => undefined,
    removeBlob: async () => undefined,
    startUpload: async () => ({ state: 's', offset: 0 }),
    finishUpload: async () => ({ size: layer.bytes.length }),
    mount: async () => ({ size: layer.bytes.length }),
  };
  return {
    authenticator: { authenticate: async () => ({ ok: true, identity: IDENTITY }) },
    directory: {
      can: async (_identity: unknown, action: string) =>
        action === 'quarantine.read'
          ? { isAllowed: false, lacks: 'grant' }
          : { isAllowed: true, because: 'local' },
      visibleTo: async () => () => true,
    },
    audit: {
      record: async (entry: AuditEntry) => {
        records.push(entry);
      },
      note: (entry: AuditEntry) => void records.push(entry),
      complete: (entry: AuditEntry) => void records.push(entry),
    },
    verdicts: {
      verdictFor: async () => ({ verdict: verdictOf(digest, 'allow'), restMs: 0 }),
      admitsBlob: async () => ({ isAdmitted: true, manifest: digest }),
      judgePush: async () => ({ reasons: [], warnings: [], immutable: [] }),
    },
    content: {
      find: async () => ({ size: layer.bytes.length }),
      openToPour: async () => ({
        size: layer.bytes.length,
        pour: (take: TakePiece) => take(Buffer.from(layer.bytes)),
      }),
      read: async () => manifest,
    },
    links: {
      findManifest: async () => stored,
      findBlob: async () => ({ owner: 'origin', size: layer.bytes.length }),
      listReferrers: async () => [],
    },
    linkWrites: { linkBlob: async () => undefined },
    quotas: { of: async () => [] },
    facts: { seeDigest: async () => undefined },
    scans: { request: async () => undefined },
    source,
  };
}

function merged(usual: Readonly<Record<string, Members>>, replaced: Replaced): Record<string, Members> {
  const all: Record<string, Members> = { ...usual };
  for (const [part, members] of Object.entries(replaced)) all[part] = { ...all[part], ...members };
  return all;
}

/** Wraps every function so that its calls are told, and makes the parts of it that the gateway takes. */
function watched(calls: string[], parts: Record<string, Members>): GatewayParts {
  const told: Record<string, Members> = {};
  for (const [part, members] of Object.entries(parts)) {
    told[part] = Object.fromEntries(
      Object.entries(members).map(([name, member]) => [name, watch(calls, `${part}.${name}`, member)]),
    );
  }
  const { source, ...rest } = told;
  const clock = systemClock;
  const random = systemRandom;
  // Only the members that a test needs are there; one that is called without being there fails that test.
  return {
    sources: createSources([{ prefix: '', source: source as never }]),
    tags: createTagMemory({ changes: createLocalChanges(), clock }),
    referrers: { bring: async () => undefined },
    prefetch: { begin: () => undefined, close: () => undefined },
    traffic: UNLIMITED_TRAFFIC,
    sessions: createUploadSessions(new Uint8Array(32), random),
    ...{ clock, random, logger: silentLogger },
    ...rest,
  } as unknown as GatewayParts;
}

function watch(calls: string[], name: string, member: unknown): unknown {
  if (typeof member !== 'function') return member;
  return (...given: unknown[]) => {
    // A record counts when it is durable, anything else when it is asked for.
    if (name !== 'audit.record') calls.push(name);
    const result: unknown = member(...given);
    if (name === 'audit.record' && result instanceof Promise)
      return result.then((record) => {
        calls.push(name);
        return record;
      });
    return result;
  };
}

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

function ask(
  port: number,
  method: string,
  path: string,
  options: { readonly headers?: Record<string, string>; readonly body?: string | Uint8Array },
): Promise<BenchAnswer> {
  const headers = { authorization: 'Basic x', ...options.headers };
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      { host: '127.0.0.1', port, method, path, headers, agent: false },
      (response) => {
        let body = '';
        response.setEncoding('latin1').on('data', (chunk) => {
          body += chunk;
        });
        response.on('error', () => undefined);
        response.on('close', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body,
            isCut: !response.complete,
          }),
        );
      },
    );
    request.on('error', reject);
    request.end(options.body);
  });
}
