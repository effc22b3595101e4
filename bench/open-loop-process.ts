import { connect, type TLSSocket } from 'node:tls';
import { ACCEPT, readInput } from './client.ts';
import { percentile } from './report.ts';

/**
 * Asks at a fixed rate, whatever the answers take: each request has its time, and its latency counts from that time, so
 * that a server that stalls is charged for all that waited (no coordinated omission). Prints percentiles in milliseconds.
 */
interface Task {
  readonly origin: string;
  readonly ca: string;
  readonly token: string;
  readonly path: string;
  readonly perSecond: number;
  readonly seconds: number;
  readonly connections: number;
}

const task = (await readInput()) as unknown as Task;
const { hostname, port, host } = new URL(task.origin);
const question = [
  `GET ${task.path} HTTP/1.1`,
  `Host: ${host}`,
  `Authorization: Bearer ${task.token}`,
  `Accept: ${ACCEPT}`,
  '\r\n',
].join('\r\n');
const total = Math.floor(task.perSecond * task.seconds);
const latencies: number[] = [];
const idle: TLSSocket[] = [];
const due: number[] = [];
let [sent, worstDelayMs] = [0, 0];
const finished = Promise.withResolvers<void>();

/** Reads answers of a known length; nothing else comes. */
function listen(socket: TLSSocket): void {
  let held = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    held += chunk;
    const end = held.indexOf('\r\n\r\n');
    if (end === -1) return;
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(held)?.[1]);
    if (!held.startsWith('HTTP/1.1 200') || !(length >= 0)) {
      fail(new Error(held.slice(0, 500)));
      return;
    }
    if (held.length < end + 4 + length) return;
    held = '';
    take(socket);
  });
  socket.once('error', fail);
  socket.once('close', () => fail(new Error('the server closed a connection')));
}

const dueOf = new Map<TLSSocket, number>();

function take(socket: TLSSocket): void {
  latencies.push(performance.now() - (dueOf.get(socket) ?? 0));
  if (latencies.length === total) finished.resolve();
  const next = due.shift();
  if (next === undefined) idle.push(socket);
  else ask(socket, next);
}

function ask(socket: TLSSocket, dueMs: number): void {
  dueOf.set(socket, dueMs);
  socket.write(question);
}

function fail(error: Error): void {
  if (latencies.length < total) finished.reject(error);
}

const sockets = await Promise.all(
  Array.from({ length: task.connections }, async () => {
    const socket = connect({ host: hostname, port: Number(port), ca: task.ca, servername: 'localhost' });
    const ready = Promise.withResolvers<void>();
    socket.once('secureConnect', ready.resolve).once('error', ready.reject);
    await ready.promise;
    socket.setNoDelay(true);
    listen(socket);
    return socket;
  }),
);
idle.push(...sockets);

const startMs = performance.now();
function tick(): void {
  const nowMs = performance.now();
  for (; sent < total; sent += 1) {
    const dueMs = startMs + (sent * 1000) / task.perSecond;
    if (dueMs > nowMs) break;
    worstDelayMs = Math.max(worstDelayMs, nowMs - dueMs);
    const socket = idle.pop();
    if (socket) ask(socket, dueMs);
    else due.push(dueMs);
  }
  if (sent < total) setTimeout(tick, 1);
}
tick();
await finished.promise;
for (const socket of sockets) socket.removeAllListeners('close').destroy();
const at = (share: number) => percentile(latencies, share);
process.stdout.write(
  JSON.stringify({
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    p999Ms: at(0.999),
    maxMs: at(1),
    clientDelayMs: worstDelayMs,
  }),
);
