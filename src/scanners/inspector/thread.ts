/** Entry point of the inspector's threads: everything that reads an image's bytes happens here. */
import { parentPort } from 'node:worker_threads';
import { ChunkQueue } from './chunk-queue.ts';
import { createJobRunner } from './job-runner.ts';
import type { FromThread, ToThread } from './protocol.ts';

const port = parentPort;
if (!port) throw new Error('thread.ts runs as a worker thread only');

const run = createJobRunner();
let chunks = new ChunkQueue(() => undefined);

const send = (message: FromThread): void => port.postMessage(message);

port.on('message', (message: ToThread) => {
  if (message.type === 'chunk') {
    chunks.push(Buffer.from(message.bytes.buffer, message.bytes.byteOffset, message.bytes.byteLength));
  } else if (message.type === 'end') {
    chunks.end();
  } else {
    const own = new ChunkQueue(() => send({ type: 'taken' }));
    chunks = own;
    // A rejection here is a bug; it ends the thread, and the pool says so.
    void run(message.job, own).then((result) => {
      own.close();
      send({ type: 'result', result });
    });
  }
});

send({ type: 'ready' });
