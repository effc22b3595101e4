import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { Ajv } from 'ajv';
import { parse } from 'yaml';

/** `nullable` without `type`, as the document has it once, means nothing in OpenAPI 3.0, and the checker minds it. */
const DOCUMENT: object = parse(
  readFileSync(join(import.meta.dirname, '../fixtures/harbor/scanner-adapter-openapi-v1.2.yaml'), 'utf8'),
  (_key: unknown, value: unknown) => {
    if (typeof value !== 'object' || value === null || !('nullable' in value) || 'type' in value)
      return value;
    const { nullable: _, ...others } = value;
    return others;
  },
);

const TYPES = {
  metadata: 'application/vnd.scanner.adapter.metadata+json; version=1.1',
  request: 'application/vnd.scanner.adapter.scan.request+json; version=1.1',
  response: 'application/vnd.scanner.adapter.scan.response+json; version=1.0',
  report: 'application/vnd.security.vulnerability.report; version=1.1',
};

export interface ScanRequest {
  readonly registry: { readonly url: string; readonly authorization: string };
  readonly artifact: { readonly repository: string; readonly digest: string; readonly mime_type: string };
}

interface Reply {
  readonly status: number;
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** What the adapter does, each part replaceable by a test. */
export interface AdapterBehaviour {
  metadata(): Reply;
  /** Called after the request was found to be as the document wants it. */
  accept(request: ScanRequest): Promise<Reply>;
  report(asked: number, request: ScanRequest): Reply;
}

export const METADATA = {
  scanner: { name: 'Trivy', vendor: 'Aqua Security', version: '0.74.0' },
  capabilities: [
    {
      type: 'vulnerability',
      consumes_mime_types: [
        'application/vnd.oci.image.manifest.v1+json',
        'application/vnd.docker.distribution.manifest.v2+json',
      ],
      produces_mime_types: [TYPES.report],
    },
  ],
  properties: { 'harbor.scanner-adapter/vulnerability-database-updated-at': '2026-05-30T00:00:00Z' },
};

export function reportOn(digest: string) {
  return {
    generated_at: '2026-05-31T00:00:00Z',
    artifact: { repository: 'team/app', digest, mime_type: 'application/vnd.oci.image.manifest.v1+json' },
    scanner: METADATA.scanner,
    severity: 'High',
    vulnerabilities: [
      {
        id: 'CVE-2026-500',
        package: 'zlib',
        version: '1.2',
        fix_version: '1.3',
        severity: 'High',
        description: 'overflow',
        links: ['https://example.test/CVE-2026-500'],
        preferred_cvss: { score_v3: 8.1, vector_v3: 'CVSS:3.1/AV:N' },
      },
    ],
  };
}

const HONEST: AdapterBehaviour = {
  metadata: () => ({ status: 200, type: TYPES.metadata, body: METADATA }),
  accept: async () => ({ status: 202, type: TYPES.response, body: { id: 'scan 1/ü' } }),
  // Not ready at first.
  report: (asked, { artifact }) =>
    asked === 1
      ? { status: 302, headers: { 'refresh-after': '0' } }
      : { status: 200, type: TYPES.report, body: reportOn(artifact.digest) },
};

/**
 * A scanner adapter that checks what it is asked, and what it answers, against Harbor's OpenAPI document; whatever
 * does not agree is in `problems`.
 */
export async function startScannerAdapter(behaviour: Partial<AdapterBehaviour> = {}) {
  const does = { ...HONEST, ...behaviour };
  const problems: string[] = [];
  const requests: ScanRequest[] = [];
  const authorizations: (string | undefined)[] = [];
  const ajv = new Ajv({ strict: false, validateFormats: false, validateSchema: false });
  ajv.addSchema(DOCUMENT, 'api');
  let asked = 0;

  function check(schema: string, value: unknown, where: string): void {
    if (!ajv.validate({ $ref: `api#/components/schemas/${schema}` }, value)) {
      problems.push(`${where}: ${ajv.errorsText()}`);
    }
  }

  function reply(response: ServerResponse, { status, type, headers, body }: Reply): void {
    response.writeHead(status, { ...headers, ...(type === undefined ? {} : { 'content-type': type }) });
    response.end(body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body));
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    authorizations.push(request.headers.authorization);
    if (request.url === '/api/v1/metadata') {
      const given = does.metadata();
      if (behaviour.metadata === undefined) check('ScannerAdapterMetadata', given.body, 'metadata');
      return reply(response, given);
    }
    if (request.url === '/api/v1/scan' && request.method === 'POST') {
      const { 'content-type': type } = request.headers;
      if (type !== TYPES.request) problems.push(`scan: content type ${type}`);
      const scan: ScanRequest = JSON.parse(await text(request));
      check('ScanRequest', scan, 'scan');
      requests.push(scan);
      return reply(response, await does.accept(scan));
    }
    if (request.url === `/api/v1/scan/${encodeURIComponent('scan 1/ü')}/report`) {
      if (request.headers.accept !== TYPES.report) problems.push(`report: accepts ${request.headers.accept}`);
      asked += 1;
      const given = does.report(asked, requests.at(-1) as ScanRequest);
      if (given.status === 200 && behaviour.report === undefined) {
        check('HarborVulnerabilityReport', given.body, 'report');
      }
      return reply(response, given);
    }
    problems.push(`${request.method} ${request.url} is no call of the API`);
    reply(response, { status: 404 });
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      problems.push(String(error));
      reply(response, { status: 500 });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}/api/v1`,
    ...{ problems, requests, authorizations },
    stop() {
      server.closeAllConnections();
      return new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
