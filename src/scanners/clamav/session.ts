import { connect, type NetConnectOpts, type Socket } from 'node:net';
import { isErrorWithCode } from '../../base/index.ts';
import { Fault } from '../../oci/index.ts';
import type { Bytes } from '../layers/unpack.ts';
import { parseReply, type Reply } from './reply.ts';

/** A connection to clamd, over which streams are scanned one after the other. */
export interface ClamdSession {
  /** `false` when clamd has hung up, as it does after a stream that was too long. */
  isOpen(): boolean;
  /**
   * Sends the bytes to their end, whatever clamd says in between, and gives its reply; `cut` when clamd hung up on
   * what was being sent, as it does when that is too long: its reply is lost then.
   *
   * @throws {Fault} clamd is away, silent for too long or answers what is no reply. What `bytes` throws is passed on.
   */
  scan(bytes: Bytes): Promise<Reply | { readonly kind: 'cut' }>;
  /** Such as `ClamAV 1.4.3/27703/Tue Jul 22 08:36:04 2025`: program, signatures, their date. */
  version(): Promise<string>;
  close(): void;
}

export interface ClamdOptions {
  /** A Unix socket's path, or a host and port. */
  readonly address: { readonly path: string } | { readonly host: string; readonly port: number };
  /** Longest silence of clamd, in milliseconds, while it connects, takes bytes or looks at a file. */
  readonly silenceMsMax: number;
}

/** Clamd takes any chunk that keeps the stream below its StreamMaxLength; ours are as large as its buffer. */
const CHUNK_BYTES_MAX = 128 * 1024;
const REPLY_LENGTH_MAX = 4096;
const END_OF_STREAM = Buffer.alloc(4);

/** @throws {Fault} nobody answers at the address. */
export async function openClamdSession(options: ClamdOptions, signal: AbortSignal): Promise<ClamdSession> {
  const socket = connect({ ...options.address, signal } as NetConnectOpts);
  const line = new ReplyLine(socket, options.silenceMsMax);
  await line.connected();
  // A session: numbered replies on one connection, each command ended by a zero byte.
  socket.write('zIDSESSION\0');
  return {
    isOpen: () => line.isOpen(),
    async scan(bytes) {
      const reply = line.next();
      const state = stateOf(reply);
      socket.write('zINSTREAM\0');
      try {
        for await (const chunk of bytes) {
          if (state() === 'failed' && !line.isCut()) break;
          // Replied already: what is left is read all the same, since the archive goes on behind it.
          if (state() === 'awaited') await sendChunk(socket, chunk, reply);
        }
      } catch (error) {
        // Clamd still waits for the rest of this stream and would take the next one for it.
        line.abandon();
        throw error;
      }
      if (state() === 'awaited') socket.write(END_OF_STREAM);
      if (line.isCut()) return { kind: 'cut' };
      return parseReply(await reply);
    },
    async version() {
      const reply = line.next();
      socket.write('zVERSION\0');
      return (await reply).replace(/^\d+: /, '');
    },
    close: () => line.abandon(),
  };
}

function stateOf(reply: Promise<unknown>): () => 'awaited' | 'given' | 'failed' {
  let state: ReturnType<ReturnType<typeof stateOf>> = 'awaited';
  reply.then(
    () => {
      state = 'given';
    },
    () => {
      state = 'failed';
    },
  );
  return () => state;
}

/** Waits until the connection takes more, or clamd has replied before the end. */
async function sendChunk(socket: Socket, chunk: Buffer, reply: Promise<unknown>): Promise<void> {
  for (let at = 0; at < chunk.length; at += CHUNK_BYTES_MAX) {
    const piece = chunk.subarray(at, at + CHUNK_BYTES_MAX);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(piece.length);
    socket.write(length);
    if (socket.write(piece)) continue;
    const { promise: drained, resolve } = Promise.withResolvers<void>();
    socket.once('drain', resolve);
    await Promise.race([drained, reply.catch(() => undefined)]);
    socket.off('drain', resolve);
  }
}

/** The replies that come in, each to the one who asked last. */
class ReplyLine {
  readonly #socket: Socket;
  #text = '';
  #failure: Fault | undefined;
  #waiting: { resolve(text: string): void; reject(error: Fault): void } | undefined;

  constructor(socket: Socket, silenceMsMax: number) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.setTimeout(silenceMsMax, () => this.#fail('clamd was silent for too long'));
    socket.setEncoding('latin1');
    socket.on('data', (text) => this.#take(String(text)));
    socket.on('error', (error) => this.#fail('clamd cannot be reached', error));
    socket.on('close', () => this.#fail('clamd hung up'));
  }

  connected(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve: () => resolve(), reject };
      this.#socket.once('connect', () => {
        this.#waiting = undefined;
        resolve();
      });
    });
  }

  isOpen(): boolean {
    return this.#failure === undefined;
  }

  isCut(): boolean {
    const cause = this.#failure?.cause;
    return isErrorWithCode(cause, 'EPIPE') || isErrorWithCode(cause, 'ECONNRESET');
  }

  next(): Promise<string> {
    return new Promise((resolve, reject) => {
      if (this.#failure) return reject(this.#failure);
      this.#waiting = { resolve, reject };
    });
  }

  abandon(): void {
    this.#fail('the stream to clamd was broken off');
  }

  #take(text: string): void {
    this.#text += text;
    for (let end = this.#text.indexOf('\0'); end >= 0; end = this.#text.indexOf('\0')) {
      const line = this.#text.slice(0, end);
      this.#text = this.#text.slice(end + 1);
      this.#give(line);
    }
    if (this.#text.length > REPLY_LENGTH_MAX) this.#fail('clamd replied at a length that no reply has');
  }

  #give(line: string): void {
    // Kept, a reply that nobody asked for would be taken for the next one's.
    if (!this.#waiting) this.#fail('clamd replied to nothing');
    this.#waiting?.resolve(line);
    this.#waiting = undefined;
  }

  #fail(message: string, cause?: unknown): void {
    this.#failure ??= new Fault('DG_CLAMD_UNAVAILABLE', 'UNAVAILABLE', message, cause);
    this.#socket.destroy();
    this.#waiting?.reject(this.#failure);
    this.#waiting = undefined;
  }
}
