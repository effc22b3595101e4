import { Worker } from 'node:worker_threads';
import type { Logger } from '../../base/index.ts';
import { Fault } from '../../oci/index.ts';
import type { BlobJob, BlobResult, FromThread, ToThread } from './protocol.ts';

export interface ThreadPoolOptions {
  readonly threadCount: number;
  /** Heap of one thread, in MiB. */
  readonly heapMiBMax: number;
  /** The program that a thread runs. */
  readonly program: URL;
}

/** Gives the bytes of a blob; `ended` is aborted when they are no longer wanted. */
export type OpenContent = (ended: AbortSignal) => Promise<AsyncIterable<Uint8Array>>;

/** Runs blobs through threads, one blob a thread at a time. */
export interface ThreadPool {
  /**
   * Waits for a free thread, then sends it what `open` gives.
   *
   * @returns `unscannable` also when the thread dies of the content or passes `job.limits.blobMsMax`.
   * @throws {Fault} the content stopped coming, or the scan was given up.
   */
  run(job: BlobJob, open: OpenContent, signal: AbortSignal): Promise<BlobResult>;
  close(): Promise<void>;
}

/** Chunks sent and not yet read; with chunks of 64 KiB, one MiB. */
const IN_FLIGHT_MAX = 16;
/** Pieces of text die at once; V8 would let four times as many pile up before it looks. */
const YOUNG_MIB_MAX = 8;

export function createThreadPool(options: ThreadPoolOptions, parts: { readonly logger: Logger }): ThreadPool {
  const threads = new Set<InspectionThread>();
  const idle: InspectionThread[] = [];
  const waiting: (() => void)[] = [];
  let isClosed = false;

  const acquire = async (): Promise<InspectionThread> => {
    for (;;) {
      if (isClosed) throw new Fault('DG_SCANNER_CLOSED', 'UNAVAILABLE', 'the inspector is shutting down');
      const free = idle.pop();
      if (free?.isAlive) return free;
      if (free) threads.delete(free);
      if (threads.size < options.threadCount) {
        const thread = new InspectionThread(options, parts.logger);
        threads.add(thread);
        return thread;
      }
      await new Promise<void>((resolve) => waiting.push(resolve));
    }
  };
  const release = (thread: InspectionThread): void => {
    if (thread.isAlive) idle.push(thread);
    else threads.delete(thread);
    waiting.shift()?.();
  };

  return {
    async run(job, open, signal) {
      const thread = await acquire();
      try {
        return await thread.run(job, open, signal);
      } finally {
        release(thread);
      }
    },
    async close() {
      isClosed = true;
      for (const resume of waiting.splice(0)) resume();
      await Promise.all([...threads].map((thread) => thread.stop()));
    },
  };
}

/** What ends a job from outside its normal course. */
type Ending = { readonly result: BlobResult } | { readonly fault: Fault };

class InspectionThread {
  readonly #worker: Worker;
  readonly #logger: Logger;
  #isAlive = true;
  #isReady = false;
  #inFlight = 0;
  #isAllSent = false;
  #onTaken: (() => void) | undefined;
  #onEnd: ((ending: Ending) => void) | undefined;

  constructor(options: ThreadPoolOptions, logger: Logger) {
    this.#logger = logger;
    this.#worker = new Worker(options.program, {
      env: {},
      resourceLimits: {
        maxOldGenerationSizeMb: options.heapMiBMax,
        maxYoungGenerationSizeMb: YOUNG_MIB_MAX,
      },
    });
    this.#worker.unref();
    this.#worker.on('message', (message: FromThread) => this.#receive(message));
    this.#worker.on('error', (error: unknown) => this.#die(error));
    this.#worker.on('exit', () => this.#die(undefined));
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  async stop(): Promise<void> {
    this.#isAlive = false;
    this.#onEnd?.({ fault: stopped('the inspector is shutting down') });
    await this.#worker.terminate();
  }

  async run(job: BlobJob, open: OpenContent, signal: AbortSignal): Promise<BlobResult> {
    // It may have been stopped between being handed out and being used.
    if (!this.#isAlive) throw stopped('the inspector is shutting down');
    const { promise, resolve } = Promise.withResolvers<Ending>();
    const ended = new AbortController();
    const abort = (): void => this.#abandon(stopped('the scan was given up'));
    this.#onEnd = resolve;
    this.#inFlight = 0;
    this.#isAllSent = false;
    this.#worker.ref();
    const timer = setTimeout(() => this.#timeOut(job.limits.blobMsMax), job.limits.blobMsMax);
    signal.addEventListener('abort', abort);
    if (signal.aborted) abort();
    try {
      void this.#feed(job, open, ended.signal);
      const ending = await promise;
      if ('fault' in ending) throw ending.fault;
      return ending.result;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      this.#onEnd = undefined;
      ended.abort();
      this.#onTaken?.();
      if (this.#isAlive) this.#worker.unref();
    }
  }

  /** Sends the blob; stops as soon as the job has ended, whatever the reason. Never rejects. */
  async #feed(job: BlobJob, open: OpenContent, ended: AbortSignal): Promise<void> {
    try {
      this.#send({ type: 'job', job });
      for await (const chunk of await open(ended)) {
        while (this.#inFlight >= IN_FLIGHT_MAX && !ended.aborted) await this.#taken();
        if (ended.aborted) return;
        // A copy of its own: a Buffer may be a window on memory that others use.
        this.#inFlight += 1;
        this.#send({ type: 'chunk', bytes: new Uint8Array(chunk) });
      }
      if (ended.aborted) return;
      this.#isAllSent = true;
      this.#send({ type: 'end' });
    } catch (error) {
      if (!ended.aborted) this.#abandon(toFault(error));
    }
  }

  #send(message: ToThread): void {
    const transfer = message.type === 'chunk' ? [message.bytes.buffer] : [];
    this.#worker.postMessage(message, transfer);
  }

  async #taken(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onTaken = resolve;
    await promise;
    this.#onTaken = undefined;
  }

  #receive(message: FromThread): void {
    if (message.type === 'ready') {
      this.#isReady = true;
    } else if (message.type === 'result') {
      this.#onEnd?.({ result: message.result });
    } else {
      this.#inFlight -= 1;
      this.#onTaken?.();
    }
  }

  #timeOut(ms: number): void {
    // Everything read that came, and more to come: the source was slow, and the image may be fine.
    if (this.#inFlight === 0 && !this.#isAllSent) {
      this.#abandon(unavailable(`the content did not arrive within ${ms} ms`));
    } else {
      this.#end({ result: failed(`reading it took longer than ${ms} ms`) });
    }
  }

  #abandon(fault: Fault): void {
    this.#end({ fault });
  }

  /** Ends the job and the thread: what it still does with the content is of no use. */
  #end(ending: Ending): void {
    this.#isAlive = false;
    this.#onEnd?.(ending);
    void this.#worker.terminate();
  }

  #die(error: unknown): void {
    if (!this.#isAlive) return;
    this.#isAlive = false;
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ERR_WORKER_OUT_OF_MEMORY') {
      this.#onEnd?.({ result: failed('reading it needs more memory than the inspector has') });
      return;
    }
    this.#logger.error('an inspector thread ended unexpectedly', {}, error);
    if (!this.#isReady) {
      this.#onEnd?.({
        fault: new Fault('DG_SCANNER_BROKEN', 'UNAVAILABLE', 'the inspector cannot start', error),
      });
      return;
    }
    this.#onEnd?.({ result: failed('the inspector failed on it; its log says why') });
  }
}

function failed(unscannable: string): BlobResult {
  return { unscannable, findings: [], droppedCount: 0, isArchive: false };
}

function stopped(message: string): Fault {
  return new Fault('DG_SCAN_STOPPED', 'UNAVAILABLE', message);
}

function unavailable(message: string, cause?: unknown): Fault {
  return new Fault('DG_SCAN_CONTENT_UNAVAILABLE', 'UNAVAILABLE', message, cause);
}

function toFault(error: unknown): Fault {
  return error instanceof Fault ? error : unavailable('the content to scan could not be read', error);
}
