import { get } from 'node:https';
import { ACCEPT, readInput } from './client.ts';
import { percentile } from './report.ts';

/** Clients that fetch a token and with it a manifest, each on a new connection, one pair after the other. */
interface Task {
  readonly origin: string;
  readonly ca: string;
  readonly basic: string;
  readonly tokenPath: string;
  readonly path: string;
  readonly seconds: number;
  readonly clients: number;
}

const task = (await readInput()) as unknown as Task;
const latencies: number[] = [];

function ask(path: string, authorization: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { agent: false, ca: task.ca, headers: { authorization, accept: ACCEPT } };
    get(new URL(path, task.origin), options, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      response.once('error', reject);
      response.once('end', () =>
        response.statusCode === 200
          ? resolve(text)
          : reject(new Error(`${path}: ${response.statusCode} ${text}`)),
      );
    }).once('error', reject);
  });
}

const startedMs = performance.now();
const endMs = startedMs + task.seconds * 1000;
async function client(): Promise<void> {
  while (performance.now() < endMs) {
    const beganMs = performance.now();
    const { token }: { readonly token: string } = JSON.parse(
      await ask(task.tokenPath, `Basic ${task.basic}`),
    );
    await ask(task.path, `Bearer ${token}`);
    latencies.push(performance.now() - beganMs);
  }
}
await Promise.all(Array.from({ length: task.clients }, client));
const seconds = (performance.now() - startedMs) / 1000;
const [p50Ms, p99Ms] = [percentile(latencies, 0.5), percentile(latencies, 0.99)];
process.stdout.write(
  JSON.stringify({ count: latencies.length, perSecond: latencies.length / seconds, p50Ms, p99Ms }),
);
