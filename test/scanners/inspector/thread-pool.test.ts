import assert from 'node:assert/strict';
import { silentLogger } from '../../../src/base/index.ts';
import type { BlobJob, BlobResult } from '../../../src/scanners/inspector/protocol.ts';
import { createThreadPool, type ThreadPool } from '../../../src/scanners/inspector/thread-pool.ts';
import { DEFAULT_LIMITS } from '../../../src/scanners/layers/limits.ts';

/** A thread that does what the job's name says. */
const PROGRAM = new URL(
  `data:text/javascript,${encodeURIComponent(`
  import { parentPort } from 'node:worker_threads';
  import { setTimeout } from 'node:timers';
  const result = (unscannable) => parentPort.postMessage({
    type: 'result', result: { unscannable, findings: [], droppedCount: 0, isArchive: false } });
  let taken = 0;
  let hangsLast = false;
  parentPort.postMessage({ type: 'ready' });
  parentPort.on('message', (message) => {
    if (message.type === 'chunk') { taken += 1; parentPort.postMessage({ type: 'taken' }); }
    if (message.type === 'end' && hangsLast) for (;;);
    if (message.type === 'end') result('chunks: ' + taken);
    if (message.type !== 'job') return;
    taken = 0;
    hangsLast = message.job.name === 'hang at the end';
    const { name } = message.job;
    if (name === 'throw') throw new Error('a bug');
    if (name === 'exit') process.exit(3);
    if (name === 'hang') for (;;);
    if (name === 'backtrack') /^(a+)+$/.test('a'.repeat(40) + 'b');
    if (name === 'eat') { const all = []; for (;;) all.push(new Array(1e6).fill(all.length)); }
    if (name === 'early') result('early');
  });
`)}`,
);

describe('the pool of threads', () => {
  const job = (name: string, blobMsMax = 10_000): BlobJob => ({
    role: 'file',
    name,
    limits: { ...DEFAULT_LIMITS, blobMsMax },
    nowMs: 0,
    superusers: [],
    isRunnable: false,
  });
  const content = (chunkCount: number) => async (): Promise<AsyncIterable<Uint8Array>> =>
    (async function* () {
      for (let at = 0; at < chunkCount; at += 1) yield new Uint8Array([at]);
    })();
  const signal = new AbortController().signal;
  let pool: ThreadPool;
  const run = (name: string, blobMsMax?: number): Promise<BlobResult> =>
    pool.run(job(name, blobMsMax), content(100), signal);

  before(() => {
    pool = createThreadPool({ threadCount: 2, heapMiBMax: 32, program: PROGRAM }, { logger: silentLogger });
  });
  after(() => pool.close());

  it('sends every chunk, and serves more jobs than it has threads', async () => {
    const results = await Promise.all(Array.from({ length: 10 }, () => run('count')));
    assert.deepEqual(
      results.map(({ unscannable }) => unscannable),
      Array.from({ length: 10 }, () => 'chunks: 100'),
    );
  });

  it('takes an early answer and stops sending', async () => {
    let sent = 0;
    const endless = async (): Promise<AsyncIterable<Uint8Array>> =>
      (async function* () {
        for (;;) {
          sent += 1;
          yield new Uint8Array(10);
        }
      })();
    assert.equal((await pool.run(job('early'), endless, signal)).unscannable, 'early');
    const sentThen = sent;
    assert.equal((await run('count')).unscannable, 'chunks: 100');
    assert.ok(sent <= sentThen + 1);
  });

  it('faults when its threads cannot start, so that the scan is tried again', async () => {
    const program = new URL('data:text/javascript,throw new Error("no")');
    const broken = createThreadPool({ threadCount: 1, heapMiBMax: 32, program }, { logger: silentLogger });
    for (let attempt = 0; attempt < 3; attempt += 1) {
      await assert.rejects(broken.run(job('count'), content(1), signal), { code: 'DG_SCANNER_BROKEN' });
    }
    await broken.close();
  });

  for (const [name, reason] of [
    ['throw', /the inspector failed on it/],
    ['exit', /the inspector failed on it/],
    ['eat', /needs more memory/],
    ['hang at the end', /took longer than 500 ms/],
    ['hang', /took longer than 500 ms/],
    ['backtrack', /took longer than 500 ms/],
  ] as const) {
    it(`outlives a thread that does this with the content: ${name}`, async () => {
      const isSlow = name.startsWith('hang') || name === 'backtrack';
      assert.match((await run(name, isSlow ? 500 : undefined)).unscannable ?? '', reason);
      assert.equal((await run('count')).unscannable, 'chunks: 100');
    });
  }
});
