import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express';
import { type Identity, printJwks } from '../auth/index.ts';
import { newId } from '../base/index.ts';
import { createIdentify } from './identify.ts';
import { openApiDocument } from './openapi.ts';
import type { Operation } from './operation.ts';
import { allOperations } from './operations.ts';
import type { ApiOptions, ApiParts } from './parts.ts';
import { problemOf } from './problem.ts';
import { runOperation } from './run-operation.ts';
import { createTokenHandlers } from './token.ts';

const BODY_BYTES_MAX = '256kb';

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
  // Objects built from query keys are a way to reach what no schema names.
  app.set('query parser', 'simple');
  app.use(standingHeaders(parts));
  app.get('/.well-known/jwks.json', (_request, response) => {
    response.set('cache-control', 'public, max-age=300').json(printJwks(parts.keys));
  });
  const tokens = createTokenHandlers(options, parts);
  app.get('/token', tokens.get);
  app.post(
    '/token',
    express.urlencoded({ extended: false, limit: '64kb', parameterLimit: 200 }),
    tokens.post,
  );
  app.get('/api/v1/openapi.json', (_request, response) => {
    response.json(openApiDocument(operations, options.version));
  });
  const identify = createIdentify(parts, options.service, fixed);
  const json = express.json({ limit: BODY_BYTES_MAX, strict: true, type: 'application/json' });
  for (const operation of operations) {
    app[operation.method](
      `/api/v1${expressPath(operation)}`,
      requireJson,
      json,
      async (request, response) => {
        await runOperation(operation, { request, response, parts, identify });
      },
    );
  }
  app.use(notFound);
  app.use(onError(parts));
  return app;
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

/** `/users/{name}` as Express writes it. */
function expressPath(operation: Operation): string {
  return operation.path.replace(/\{(\w+)\}/g, ':$1');
}

/** A form or a text/plain body could be sent by any web page; JSON cannot without its consent. @see threat W-01 */
const requireJson: RequestHandler = (request, response, next) => {
  const hasBody =
    request.headers['content-length'] !== undefined && request.headers['content-length'] !== '0';
  if ((hasBody || request.headers['transfer-encoding'] !== undefined) && !request.is('application/json')) {
    response.status(415).json({ error: { code: 'DG_MEDIA_TYPE', message: 'send application/json' } });
    return;
  }
  next();
};

const notFound: RequestHandler = (_request, response) => {
  response
    .status(404)
    .json({ error: { code: 'DG_NOT_FOUND', message: 'no such address; see /api/v1/openapi.json' } });
};

function onError(parts: ApiParts): ErrorRequestHandler {
  return (error, _request, response, _next) => {
    const status = bodyErrorStatus(error);
    if (status !== undefined) {
      response.status(status).json({
        error: { code: 'DG_BODY_INVALID', message: 'the body cannot be read as JSON of at most 256 KiB' },
      });
      return;
    }
    const problem = problemOf(error);
    if (problem.status >= 500)
      parts.logger.error('a call of the API failed', { requestId: response.locals.requestId }, error);
    if (!response.headersSent) response.status(problem.status).json(problem.body);
    else response.destroy();
  };
}

/** body-parser marks its errors with a `type` and a status. */
function bodyErrorStatus(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('type' in error) || !('status' in error))
    return undefined;
  return typeof error.status === 'number' && error.status < 500 ? error.status : undefined;
}
