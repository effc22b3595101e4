import { z } from 'zod';
import { createDocument, type ZodOpenApiOperationObject, type ZodOpenApiPathsObject } from 'zod-openapi';
import type { Operation } from './operation.ts';

const errorShape = z.object({ error: z.object({ code: z.string(), message: z.string() }) });

/** The OpenAPI 3.1 document of the API, made from the same list that serves it. */
export function openApiDocument(operations: readonly Operation[], version: string): unknown {
  const paths: ZodOpenApiPathsObject = {};
  for (const operation of operations) {
    const known = paths[operation.path] ?? {};
    paths[operation.path] = { ...known, [operation.method]: describe(operation) };
  }
  return createDocument({
    openapi: '3.1.0',
    info: { title: 'dockgate', version, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    servers: [{ url: '/api/v1' }],
    security: [{ basic: [] }, { bearer: [] }],
    components: {
      securitySchemes: {
        basic: { type: 'http', scheme: 'basic', description: 'User and password, or robot and secret' },
        bearer: { type: 'http', scheme: 'bearer', description: 'Refresh token of a sign-in' },
      },
    },
    paths,
  });
}

function describe(operation: Operation): ZodOpenApiOperationObject {
  const content = { 'application/json': { schema: operation.output } };
  const error = { description: 'The reason', content: { 'application/json': { schema: errorShape } } };
  return {
    operationId: operation.id,
    summary: operation.summary,
    description: `Needs: ${operation.action}`,
    ...inputOf(operation),
    responses: { [operation.status]: { description: 'Done', content }, '4XX': error, '5XX': error },
  };
}

function inputOf(operation: Operation): Pick<ZodOpenApiOperationObject, 'requestParams' | 'requestBody'> {
  if (!(operation.input instanceof z.ZodObject)) return bodyOnly(operation);
  const inPath = new Set([...operation.path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? ''));
  const path: Record<string, z.ZodType> = {};
  const rest: Record<string, z.ZodType> = {};
  for (const [key, shape] of Object.entries(operation.input.shape)) {
    if (!(shape instanceof z.ZodType)) continue;
    if (inPath.has(key)) path[key] = shape;
    else rest[key] = shape;
  }
  const hasRest = Object.keys(rest).length > 0;
  const isRead = operation.method === 'get' || operation.method === 'delete';
  return {
    requestParams: {
      ...(inPath.size > 0 ? { path: z.object(path) } : {}),
      ...(hasRest && isRead ? { query: z.object(rest) } : {}),
    },
    ...(hasRest && !isRead
      ? { requestBody: { content: { 'application/json': { schema: z.strictObject(rest) } } } }
      : {}),
  };
}

function bodyOnly(operation: Operation): Pick<ZodOpenApiOperationObject, 'requestBody'> {
  return { requestBody: { content: { 'application/json': { schema: operation.input } } } };
}
