import { Agent, request as httpsRequest } from 'node:https';
import { isDeepStrictEqual } from 'node:util';
import { until } from '../support/until.ts';
import { createPlaceholders, type Speaker } from './placeholders.ts';
import {
  type Answer,
  type Ask,
  type Conversation,
  groupHeaders,
  keptOfAnswer,
  LENGTH,
  type RawAnswer,
  toOutgoing,
  unpackBody,
} from './transcript.ts';

/** Says what a client said, in order, to a server. */
export interface Replayer {
  /** @returns what the server answered otherwise than it was recorded; nothing: the client would not notice. */
  replay(conversation: Conversation): Promise<readonly string[]>;
  close(): void;
}

export function createReplayer(
  server: { readonly host: string; readonly port: number; readonly ca: string },
  speakers: readonly Speaker[],
): Replayer {
  const agent = new Agent({ keepAlive: true, ca: server.ca });
  return {
    async replay({ exchanges }) {
      const placeholders = createPlaceholders(server.host, speakers);
      const differences: string[] = [];
      for (const { ask, answer } of exchanges) {
        const raw = await sendUntilScanned(agent, server.port, placeholders.fill(ask), answer.status);
        placeholders.learn(raw);
        const actual = placeholders.hideInAnswer(keptOfAnswer(raw));
        for (const difference of differencesOf(answer, actual))
          differences.push(`${ask.method} ${ask.path}: ${difference}`);
      }
      return differences;
    },
    close: () => agent.destroy(),
  };
}

/** What a client would notice. The words of a refusal may change; how they begin, and the code, may not. */
export function differencesOf(expected: Answer, actual: Answer): readonly string[] {
  const differences: string[] = [];
  const compare = (what: string, recorded: unknown, now: unknown): void => {
    if (!isDeepStrictEqual(recorded, now))
      differences.push(`${what} is ${JSON.stringify(now)}, recorded was ${JSON.stringify(recorded)}`);
  };
  compare('status', expected.status, actual.status);
  for (const name of new Set([...Object.keys(expected.headers), ...Object.keys(actual.headers)]))
    compare(name, expected.headers[name], actual.headers[name]);
  compare('body', beginningsOf(expected.body), beginningsOf(actual.body));
  return differences;
}

/** Each sentence by its first two words: `dockgate: blocked`. */
function beginningsOf(body: Answer['body']): unknown {
  if (body === undefined || !('json' in body)) return body;
  return JSON.parse(JSON.stringify(body.json), (key, value) =>
    key === 'message' && typeof value === 'string' ? value.split(' ').slice(0, 2).join(' ') : value,
  );
}

/** A pull that comes before the scan is over is told to come back; a client does. */
async function sendUntilScanned(agent: Agent, port: number, ask: Ask, expected: number): Promise<RawAnswer> {
  let answer = await send(agent, port, ask);
  await until(async () => {
    if (answer.status !== 429 || expected === 429) return true;
    answer = await send(agent, port, ask);
    return false;
  }, `${ask.path} is no longer answered 429`);
  return answer;
}

function send(agent: Agent, port: number, ask: Ask): Promise<RawAnswer> {
  const body = ask.body === undefined ? Buffer.alloc(0) : unpackBody(ask.body);
  const headers = toOutgoing(ask.headers);
  if (headers['content-length'] === LENGTH) headers['content-length'] = String(body.length);
  const options = { agent, host: 'localhost', port, method: ask.method, path: ask.path };
  return new Promise((resolve, reject) => {
    const request = httpsRequest({ ...options, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', reject);
      response.once('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: groupHeaders(response.rawHeaders),
          body: Buffer.concat(chunks),
        }),
      );
    });
    request.once('error', reject);
    request.end(body.length > 0 ? body : undefined);
  });
}
