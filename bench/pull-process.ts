import { Agent, get } from 'node:https';
import { setTimeout as passing } from 'node:timers/promises';
import { ACCEPT, readInput } from './client.ts';

/**
 * Many clients that pull one image at once, as docker does it: a connection of their own, the manifest, then config and
 * layers three at a time, and again after 429. Prints what it took until the last of them had everything.
 */
interface Task {
  readonly origin: string;
  readonly ca: string;
  readonly token: string;
  readonly repository: string;
  readonly reference: string;
  readonly clients: number;
}

interface Descriptor {
  readonly digest: string;
  readonly size: number;
}

const AT_ONCE = 3;
const RETRIES_MAX = 100;
const RETRY_MS = 200;

const task = (await readInput()) as unknown as Task;
let [bytes, requests, retries] = [0, 0, 0];

function ask(
  agent: Agent,
  path: string,
): Promise<{ readonly status: number; readonly size: number; readonly text: string }> {
  requests += 1;
  const headers = { authorization: `Bearer ${task.token}`, accept: ACCEPT };
  const isManifest = path.includes('/manifests/');
  return new Promise((resolve, reject) => {
    get(new URL(path, task.origin), { agent, headers, ca: task.ca }, (response) => {
      let [size, text] = [0, ''];
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (isManifest) text += chunk.toString('latin1');
      });
      response.once('error', reject);
      response.once('end', () => resolve({ status: response.statusCode ?? 0, size, text }));
    }).once('error', reject);
  });
}

async function asked(agent: Agent, path: string) {
  for (let time = 0; time < RETRIES_MAX; time += 1) {
    const answer = await ask(agent, path);
    if (answer.status === 200) return answer;
    if (answer.status !== 429) throw new Error(`${path}: ${answer.status} ${answer.text}`);
    retries += 1;
    await passing(RETRY_MS);
  }
  throw new Error(`${path}: 429 to the end`);
}

async function pull(): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE, ca: task.ca });
  const base = `/v2/${task.repository}`;
  const { text } = await asked(agent, `${base}/manifests/${task.reference}`);
  const manifest: { readonly config: Descriptor; readonly layers: readonly Descriptor[] } = JSON.parse(text);
  const waiting = [manifest.config, ...manifest.layers];
  const next = async (): Promise<void> => {
    for (let blob = waiting.shift(); blob; blob = waiting.shift()) {
      const { size } = await asked(agent, `${base}/blobs/${blob.digest}`);
      if (size !== blob.size) throw new Error(`${blob.digest}: ${size} bytes in place of ${blob.size}`);
      bytes += size;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, next));
  agent.destroy();
}

const startedMs = performance.now();
await Promise.all(Array.from({ length: task.clients }, pull));
const seconds = (performance.now() - startedMs) / 1000;
process.stdout.write(JSON.stringify({ seconds, bytes, requests, retries }));
