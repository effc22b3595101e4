import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { createTestCertificate } from '../support/certificates.ts';
import type { Dockgate } from '../support/dockgate.ts';
import { until } from '../support/until.ts';
import { createPlaceholders, type Speaker } from './placeholders.ts';
import {
  type Ask,
  type Exchange,
  groupHeaders,
  keptOfAnswer,
  keptOfAsk,
  packBody,
  type RawAnswer,
  toOutgoing,
} from './transcript.ts';

/** Stands between a client and the gateway with a certificate of its own, and writes down what both say. */
export interface RecordingLine {
  readonly url: string;
  /** `localhost:PORT` */
  readonly host: string;
  readonly caPath: string;
  connect(server: Pick<Dockgate, 'port' | 'ca'>): void;
  /** What was said since the last time, in the order of the requests, with no secret in it. */
  take(speakers: readonly Speaker[]): Promise<readonly Exchange[]>;
  close(): Promise<void>;
}

interface Heard {
  readonly ask: Ask;
  answer?: RawAnswer;
}

export async function openRecordingLine(): Promise<RecordingLine> {
  const { certificate, key } = createTestCertificate();
  const directory = mkdtempSync(join(tmpdir(), 'recording-'));
  const caPath = join(directory, 'ca.crt');
  writeFileSync(caPath, certificate);
  let target: Pick<Dockgate, 'port' | 'ca'> | undefined;
  let heard: Heard[] = [];

  const carry = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (!target) throw new Error('a client came before the server was known');
    const exchange: Heard = { ask: askOf(request) };
    heard.push(exchange);
    const body = await buffer(request);
    if (body.length > 0) Object.assign(exchange.ask, { body: packBody(body) });
    const answer = await send(target, request, body);
    exchange.answer = answer;
    response.writeHead(answer.status, Object.entries(answer.headers).flatMap(linesOf));
    response.end(answer.body);
  };
  const askOf = (request: IncomingMessage): Ask => ({
    method: request.method ?? '',
    path: request.url ?? '',
    headers: keptOfAsk(groupHeaders(request.rawHeaders)),
  });
  const server = createServer({ cert: certificate, key }, (request, response) => {
    carry(request, response).catch((error: unknown) => {
      console.error('the line broke:', error);
      response.destroy();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const host = `localhost:${address.port}`;
  return {
    url: `https://${host}`,
    ...{ host, caPath },
    connect(to) {
      target = to;
    },
    async take(speakers) {
      await until(() => heard.every(({ answer }) => answer !== undefined), 'each request has its answer');
      const placeholders = createPlaceholders(host, speakers);
      const taken = heard.flatMap(({ ask, answer }) => {
        if (!answer) return [];
        // What a request uses was learned from the answers to those before it.
        const hidden = placeholders.hideInAsk(ask);
        placeholders.learn(answer);
        return [{ ask: hidden, answer: placeholders.hideInAnswer(keptOfAnswer(answer)) }];
      });
      heard = [];
      return taken;
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function linesOf([name, values]: readonly [string, string | readonly string[]]): readonly string[] {
  return [values].flat().flatMap((value) => [name, value]);
}

function send(
  target: Pick<Dockgate, 'port' | 'ca'>,
  { method, url, rawHeaders }: IncomingMessage,
  body: Buffer,
): Promise<RawAnswer> {
  const { connection: _, ...headers } = groupHeaders(rawHeaders);
  return new Promise((resolve, reject) => {
    const options = { host: 'localhost', port: target.port, ca: target.ca, method, path: url, agent: false };
    const request = httpsRequest({ ...options, headers: toOutgoing(headers) }, async (response) => {
      try {
        resolve({
          status: response.statusCode ?? 0,
          headers: groupHeaders(response.rawHeaders),
          body: await buffer(response),
        });
      } catch (error) {
        reject(error);
      }
    });
    request.once('error', reject);
    request.end(body.length > 0 ? body : undefined);
  });
}
