import express, { type ErrorRequestHandler, type Express, type Request, type RequestHandler } from 'express';
import { type Identity, printJwks } from '../auth/index.ts';
import { newId } from '../base/index.ts';
import { createIdentify } from './identify.ts';
import { addLoginPages } from './login/index.ts';
import { openApiDocument } from './openapi.ts';
import { ApiProblem, type Operation, tooMuch } from './operation.ts';
import { allOperations } from './operations.ts';
import type { ApiOptions, ApiParts } from './parts.ts';
import { bodyProblemOf, problemOf } from './problem.ts';
import { entryOf } from './record.ts';
import { failRequest, refuseRequest, sendProblem } from './refuse-request.ts';
import { runOperation } from './run-operation.ts';
import { createTokenHandlers } from './token.ts';

const JSON_BODY_MAX = '256kb';
const FORM_BODY_MAX = '64kb';
const FORM_FIELDS_COUNT_MAX = 200;

/**
 * Everything that is not below /v2: tokens, their keys, and administration.
 *
 * @param fixed the identity of everyone who comes this way: `local` on the Unix socket, which only who may open the
 *   file can reach. Absent on the TLS port, where each request proves its own.
 */
export function createApi(options: ApiOptions, parts: ApiParts, fixed?: Identity): Express {
  const operations = allOperations(options.version);
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.enable('case sensitive routing');
  app.enable('strict routing');
  // Objects built from query keys are a way to reach what no schema names.
  app.set('query parser', 'simple');
  app.use(standingHeaders(parts), refuseCrowds(parts), refuseForeignPages(parts));
  app.get('/.well-known/jwks.json', async (request, response) => {
    await recordPublicRead('keys', { request, response, parts });
    response.set('cache-control', 'public, max-age=300').json(printJwks(parts.keys));
  });
  app.get('/api/v1/openapi.json', async (request, response) => {
    await recordPublicRead('openapi', { request, response, parts });
    response.json(openApiDocument(operations, options.version));
  });
  const form = express.urlencoded({
    extended: false,
    limit: FORM_BODY_MAX,
    parameterLimit: FORM_FIELDS_COUNT_MAX,
  });
  addTokenRoutes(app, options, { parts, form });
  // Whoever comes over the Unix socket is known already.
  if (!fixed) addLoginPages(app, options, { parts, form });
  addOperationRoutes(app, operations, { options, parts, fixed });
  app.use(async (request, response) => {
    const problem = problemOf(
      new ApiProblem(404, 'DG_NOT_FOUND', 'no such address; see /api/v1/openapi.json'),
    );
    await refuseRequest({ request, response, parts }, problem, {
      action: 'request',
      reason: 'address.unknown',
    });
  });
  app.use(onError(parts));
  return app;
}

function addTokenRoutes(
  app: Express,
  options: ApiOptions,
  { parts, form }: { readonly parts: ApiParts; readonly form: RequestHandler },
): void {
  const tokens = createTokenHandlers(options, parts);
  app.get('/token', tokens.get);
  app.post('/token', form, tokens.post);
}

function addOperationRoutes(
  app: Express,
  operations: readonly Operation[],
  made: { readonly options: ApiOptions; readonly parts: ApiParts; readonly fixed: Identity | undefined },
): void {
  const { parts } = made;
  const identify = createIdentify(parts, made.options.service, made.fixed);
  for (const operation of operations) {
    const limit = operation.bodyBytesMax ?? JSON_BODY_MAX;
    const json = express.json({ limit, type: 'application/json', reviver: withoutPrototype });
    app[operation.method](
      `/api/v1${expressPath(operation)}`,
      requireJson(parts),
      json,
      async (request, response) => {
        await runOperation(operation, { request, response, parts, identify });
      },
    );
  }
}

function standingHeaders(parts: ApiParts): RequestHandler {
  return (_request, response, next) => {
    response.locals.requestId = newId(parts.random);
    response.set({
      'x-request-id': response.locals.requestId,
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      'cache-control': 'no-store',
    });
    next();
  };
}

/** An address that asks for too much, before its credential costs anything. */
function refuseCrowds(parts: ApiParts): RequestHandler {
  return (request, response, next) => {
    const crowded = parts.traffic.arrive(request, response);
    if (!crowded) return next();
    const { message, headers } = crowded.refusal;
    const problem = problemOf(tooMuch(message, headers));
    const facts = { action: 'request', outcome: 'refused', status: problem.status } as const;
    parts.audit.note(entryOf({ request, response }, { ...facts, reason: crowded.reason }));
    sendProblem({ request, response }, problem);
  };
}

/** `/users/{name}` as Express writes it. */
function expressPath(operation: Operation): string {
  return operation.path.replace(/\{(\w+)\}/g, ':$1');
}

/**
 * A browser says from which page a request comes, and sends along what it remembers of a sign-in: a page of somebody
 * else must not use that to change anything. Programs send no Origin. @see threat W-01
 */
function refuseForeignPages(parts: ApiParts): RequestHandler {
  return async (request, response, next) => {
    const { origin, host } = request.headers;
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    if (isRead || origin === undefined || origin.toLowerCase() === `https://${host}`.toLowerCase()) {
      return next();
    }
    const problem = problemOf(new ApiProblem(403, 'DG_ORIGIN', 'a page of another site must not call this'));
    await refuseRequest({ request, response, parts }, problem, {
      action: 'request',
      reason: 'origin.foreign',
    });
  };
}

/** A form or a text/plain body could be sent by any web page; JSON cannot without its consent. @see threat W-01 */
function requireJson(parts: ApiParts): RequestHandler {
  return async (request, response, next) => {
    const { 'content-length': length, 'transfer-encoding': coding } = request.headers;
    const hasBody = coding !== undefined || (length !== undefined && length !== '0');
    if (!hasBody || (request.is('application/json') !== false && isUtf8(request))) return next();
    const problem = problemOf(new ApiProblem(415, 'DG_MEDIA_TYPE', 'send application/json in UTF-8'));
    await refuseRequest({ request, response, parts }, problem, { action: 'request', reason: 'media-type' });
  };
}

/** In any other character set the bytes could read differently here and where somebody checks them (W-10). */
function isUtf8(request: Request): boolean {
  const charset = /;\s*charset\s*=\s*"?([^";\s]*)/i.exec(request.headers['content-type'] ?? '')?.[1];
  return charset === undefined || charset.toLowerCase() === 'utf-8';
}

/** @throws {SyntaxError} a key that could reach the prototype of whatever it is copied to (W-05). */
function withoutPrototype(key: string, value: unknown): unknown {
  if (key === '__proto__') throw new SyntaxError('__proto__ is not a key');
  return value;
}

/** What everybody may read needs no record, unless a credential came with it. */
async function recordPublicRead(
  action: string,
  exchange: Parameters<typeof entryOf>[0] & { readonly parts: ApiParts },
): Promise<void> {
  if (exchange.request.headers.authorization === undefined) return;
  const entry = entryOf(exchange, { action, outcome: 'allowed', status: 200 });
  await exchange.parts.audit.record(entry);
}

function onError(parts: ApiParts): ErrorRequestHandler {
  // Express tells an error handler by its four parameters.
  return async (error, request, response, _next) => {
    const exchange = { request, response, parts };
    // What the router says to an escape that stands for no character.
    if (error instanceof URIError) {
      const problem = problemOf(
        new ApiProblem(400, 'DG_ADDRESS_INVALID', 'the address holds a malformed escape'),
      );
      return refuseRequest(exchange, problem, { action: 'request', reason: 'address.invalid' });
    }
    const problem = bodyProblemOf(error);
    if (problem) await refuseRequest(exchange, problem, { action: 'request', reason: 'body.invalid' });
    else await failRequest(exchange, error, { action: 'request' });
  };
}
