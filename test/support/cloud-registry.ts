import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import type { Clock } from '../../src/base/index.ts';
import type { Dialect, Origins, TokenRequest } from './cloud-dialects.ts';
import { type BuiltImage, buildImage } from './image.ts';

/** One of the hosts, with everything it was sent: the witness. */
export interface Host {
  readonly url: string;
  readonly received: readonly Received[];
}

export interface Received {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
}

/** A registry that speaks as a vendor's does: its sign-in, its limits, its store at another host. */
export interface CloudRegistry {
  readonly registry: Host;
  /** The token service; the registry itself where the vendor has it there. */
  readonly auth: Host;
  /** Where blobs are. It refuses whoever shows it a credential beside the signature in the address. */
  readonly store: Host;
  readonly repository: 'library/alpine';
  readonly tag: 'latest';
  readonly image: BuiltImage;
  /** The tags of the repository and of others, which may be changed. */
  readonly tags: Map<string, readonly string[]>;
  close(): Promise<void>;
}

export interface CloudOptions {
  readonly clock: Clock;
  /** For Basic: whether the registry takes the password now. */
  readonly isPassword?: (username: string, password: string) => boolean;
  readonly retryAfter?: string;
}

const REPOSITORY = 'library/alpine';
const TAG = 'latest';
const SIGNATURE = 'X-Signature=abc';

export async function startCloudRegistry(dialect: Dialect, options: CloudOptions): Promise<CloudRegistry> {
  const image = await buildImage();
  const tags = new Map<string, readonly string[]>([[REPOSITORY, [TAG]]]);
  const blobs = new Map<string, Uint8Array>(
    [image.config, ...image.layers].map((blob) => [blob.digest, blob.bytes]),
  );
  const tokens = new Map<string, { readonly scopes: readonly string[]; readonly untilMs: number }>();
  const { clock } = options;
  let tokenCount = 0;
  let pullsLeft = dialect.pullsMax;

  const store = await startHost(async (request, response) => {
    const path = new URL(request.url ?? '', 'http://store');
    const bytes = blobs.get(path.pathname.slice(1));
    if (request.headers.authorization !== undefined) {
      return void end(response, 400, {}, '<Code>InvalidArgument</Code> Only one auth mechanism allowed');
    }
    if (!bytes || path.search !== `?${SIGNATURE}`)
      return void end(response, 403, {}, '<Code>AccessDenied</Code>');
    end(response, 200, { 'content-type': 'application/octet-stream' }, bytes);
  });

  const answerToken = async (request: IncomingMessage, response: ServerResponse) => {
    const asked = await readTokenRequest(request);
    const newToken = () => {
      tokenCount += 1;
      return `token-${tokenCount}`;
    };
    const answer = dialect.token?.(asked, { clock, origins: origins(), newToken });
    if (answer?.grants) {
      const { token, scopes, lifetimeMs } = answer.grants;
      tokens.set(token, { scopes, untilMs: clock.monotonicMs() + lifetimeMs });
    }
    const body = JSON.stringify(answer?.body ?? {});
    end(response, answer?.status ?? 404, { 'content-type': 'application/json' }, body);
  };

  const authHost = dialect.hasAuthHost ? await startHost(answerToken) : undefined;

  const mayEnter = (request: IncomingMessage, scope: string | undefined): boolean => {
    const [scheme, credential = ''] = (request.headers.authorization ?? '').split(' ');
    if (!dialect.token) {
      const signed = readBasic(request);
      return signed !== undefined && options.isPassword?.(signed.username, signed.password) === true;
    }
    const known = scheme === 'Bearer' ? tokens.get(credential) : undefined;
    if (!known || clock.monotonicMs() >= known.untilMs) return false;
    return scope === undefined || known.scopes.includes(scope);
  };

  const registry: RunningHost = await startHost(async (request, response) => {
    const { pathname } = new URL(request.url ?? '', 'http://registry');
    if (
      !authHost &&
      dialect.token &&
      (pathname === '/token' || pathname === '/v2/token' || /^\/oauth2\//.test(pathname))
    ) {
      return answerToken(request, response);
    }
    const name = /^\/v2\/(.+)\/(?:manifests|blobs|tags)\//.exec(pathname)?.[1];
    const scope = name === undefined ? undefined : `repository:${name}:pull`;
    const catalogScope = pathname === '/v2/_catalog' ? 'registry:catalog:*' : undefined;
    if (!mayEnter(request, scope ?? catalogScope)) {
      // ECR refuses a password that is over with 403 and without a challenge.
      if (!dialect.token && readBasic(request)) {
        const error = {
          code: 'DENIED',
          message: 'Your authorization token has expired. Reauthenticate and try again.',
        };
        return void end(response, 403, {}, JSON.stringify({ errors: [error] }));
      }
      const challenge = dialect.challenge(origins(), scope);
      const code = request.headers.authorization === undefined ? 'UNAUTHORIZED' : 'DENIED';
      return void end(
        response,
        401,
        { 'www-authenticate': challenge },
        JSON.stringify({ errors: [{ code }] }),
      );
    }
    if (pathname === '/v2/') return void end(response, 200, {}, '{}');
    if (catalogScope !== undefined) {
      if (!dialect.hasCatalog) return void end(response, 404, {}, '{}');
      return void end(response, 200, {}, JSON.stringify({ repositories: [...tags.keys()] }));
    }
    const known = tags.get(name ?? '');
    const last = pathname.split('/').at(-1) ?? '';
    if (!known) return void end(response, 404, {}, JSON.stringify({ errors: [{ code: 'NAME_UNKNOWN' }] }));
    if (pathname.endsWith('/tags/list')) {
      return void end(response, 200, {}, JSON.stringify({ name, tags: known }));
    }
    if (pathname.includes('/blobs/')) {
      if (!blobs.has(last)) return void end(response, 404, {}, '{}');
      return void end(response, 307, { location: `${store.host.url}/${last}?${SIGNATURE}` }, '');
    }
    if (!known.includes(last) && last !== image.digest) return void end(response, 404, {}, '{}');
    const limits: Record<string, string> = {};
    if (pullsLeft !== undefined) {
      // Counted on GET, shown on both.
      const isOver = request.method === 'GET' && pullsLeft === 0;
      if (request.method === 'GET' && !isOver) pullsLeft -= 1;
      limits['ratelimit-limit'] = `${dialect.pullsMax};w=21600`;
      limits['ratelimit-remaining'] = `${pullsLeft};w=21600`;
      if (isOver) {
        const body = JSON.stringify({
          errors: [{ code: 'TOOMANYREQUESTS', message: 'You have reached your limit' }],
        });
        return void end(response, 429, { ...limits, 'retry-after': options.retryAfter ?? '60' }, body);
      }
    }
    const headers = { ...limits, 'content-type': image.mediaType, 'docker-content-digest': image.digest };
    end(response, 200, headers, image.manifest, request.method === 'HEAD');
  });

  const origins = (): Origins => ({ registry: registry.host.url, auth: (authHost ?? registry).host.url });
  return {
    registry: registry.host,
    auth: (authHost ?? registry).host,
    store: store.host,
    repository: REPOSITORY,
    tag: TAG,
    image,
    tags,
    async close() {
      await Promise.all([registry.close(), store.close(), authHost?.close()]);
    },
  };
}

interface RunningHost {
  readonly host: Host;
  close(): Promise<void>;
}

async function startHost(
  answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
): Promise<RunningHost> {
  const received: Received[] = [];
  const server: Server = createServer((request, response) => {
    received.push({
      method: request.method ?? '',
      path: request.url ?? '',
      authorization: request.headers.authorization,
      headers: request.headers,
    });
    answer(request, response).catch((error: unknown) => {
      response.destroy(error instanceof Error ? error : undefined);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    host: { url: `http://127.0.0.1:${address.port}`, received },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function end(
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>>,
  body: string | Uint8Array,
  isHead = false,
): void {
  response.writeHead(status, { ...headers, 'content-length': String(Buffer.byteLength(body)) });
  response.end(isHead ? undefined : body);
}

async function readTokenRequest(request: IncomingMessage): Promise<TokenRequest> {
  const url = new URL(request.url ?? '', 'http://auth');
  const isForm = request.headers['content-type'] === 'application/x-www-form-urlencoded';
  return {
    method: request.method ?? '',
    path: url.pathname,
    query: url.searchParams,
    form: new URLSearchParams(isForm ? await text(request) : ''),
    basic: readBasic(request),
  };
}

function readBasic(request: IncomingMessage): TokenRequest['basic'] {
  const [scheme, encoded = ''] = (request.headers.authorization ?? '').split(' ');
  if (scheme !== 'Basic') return undefined;
  const decoded = Buffer.from(encoded, 'base64').toString();
  const colon = decoded.indexOf(':');
  return { username: decoded.slice(0, colon), password: decoded.slice(colon + 1) };
}
