import { type ClientRequest, Agent as HttpAgent, IncomingMessage, ServerResponse } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { Socket } from 'node:net';
import httpProxy from 'http-proxy';
import type { UploadBody } from '../content/index.ts';
import { SMALL_BYTES_MAX, type WholeAnswer } from './answer.ts';
import { faultOf, upstreamAway, upstreamBroken } from './faults.ts';
import type { Target } from './options.ts';
import { UploadMeter } from './upload-meter.ts';

/**
 * The fence around `http-proxy` 1.18.1, through which the bodies of uploads stream. The package has unpatched
 * holes (threats, chapter 0): it forwards what a client wrote, body, path and headers, and does not notice a
 * cut. So it never gets a client's request. It gets one of our own making (method POST, PUT or PATCH, a path
 * of ours, headers from the list below, no body), a metered copy of the body as a separate stream, and no
 * response to write to: the answer comes back as a value. Nothing else in the house touches the package.
 */
export interface UploadProxy {
  /** @throws {UpstreamUnavailable} no answer, or none that can be used. */
  send(call: UploadCall): Promise<UploadOutcome>;
  close(): void;
}

export interface UploadCall {
  readonly method: 'POST' | 'PUT' | 'PATCH';
  /** Path and query, checked by parseState. */
  readonly path: string;
  /** Ours. */
  readonly authorization: string | undefined;
  /** The request stays its owner's: it is read from, and never destroyed, changed or answered here. */
  readonly body: UploadBody;
  /** From the body's end to the answer. */
  readonly waitMsMax: number;
}

type UploadOutcome =
  | { readonly kind: 'answered'; readonly answer: WholeAnswer; readonly sentBytes: number }
  /** The client's fault: its body ended early, was longer than announced, or stood still. */
  | { readonly kind: 'body'; readonly problem: BodyProblem };

export type BodyProblem = 'cut' | 'short' | 'long' | 'stalled';

const METHODS: readonly string[] = ['POST', 'PUT', 'PATCH'];

export function createUploadProxy(target: Target): UploadProxy {
  // A connection per upload: what an upstream sends after its answer can never be taken for the next one's.
  const agent = target.isTls
    ? new HttpsAgent({
        keepAlive: false,
        rejectUnauthorized: true,
        ...target.clientTls,
        ...(target.ca === undefined ? {} : { ca: target.ca }),
      })
    : new HttpAgent({ keepAlive: false });
  return {
    async send(call) {
      // The package would smuggle the body of a DELETE or OPTIONS (CVE-2026-29057): a bug of ours must not
      // reach it.
      if (!METHODS.includes(call.method)) throw new Error(`${call.method} is no method of an upload`);
      return new UploadExchange(target, agent, call).run();
    },
    close: () => agent.destroy(),
  };
}

/**
 * One upload request: settles exactly once, and then holds neither the client's request nor the connection.
 */
class UploadExchange {
  readonly #target: Target;
  readonly #agent: HttpAgent;
  readonly #call: UploadCall;
  readonly #derived: IncomingMessage;
  readonly #meter: UploadMeter;
  readonly #settled = Promise.withResolvers<UploadOutcome>();
  #timer: NodeJS.Timeout | undefined;
  #isConnected = false;

  constructor(target: Target, agent: HttpAgent, call: UploadCall) {
    this.#target = target;
    this.#agent = agent;
    this.#call = call;
    this.#derived = deriveRequest(target, call);
    this.#meter = new UploadMeter(expectedBytes(call.body));
  }

  async run(): Promise<UploadOutcome> {
    const { request } = this.#call.body;
    if (request.destroyed && !request.complete) return { kind: 'body', problem: 'cut' };
    request.on('error', this.#onCut);
    request.on('close', this.#onCut);
    this.#meter.on('wrong', (problem: 'short' | 'long') => this.#endBody(problem));
    this.#meter.on('passed', () => this.#timer?.refresh());
    this.#meter.on('end', () => this.#onProgress());
    this.#arm(this.#target.timeouts.connectMs, () => this.#fail(upstreamAway('cannot be reached')));
    this.#startProxy();
    request.pipe(this.#meter);
    try {
      return await this.#settled.promise;
    } finally {
      this.#release();
    }
  }

  #startProxy(): void {
    const { isTls, hostname, port } = this.#target;
    const proxy = httpProxy.createProxyServer({
      target: { protocol: isTls ? 'https:' : 'http:', host: hostname, hostname, port },
      agent: this.#agent,
      secure: true,
      // The path is sent as it is, joined to nothing; the body is the metered copy; the answer is ours to
      // read.
      toProxy: true,
      prependPath: false,
      buffer: this.#meter,
      selfHandleResponse: true,
    });
    proxy.once('proxyReq', (outgoing) => this.#watchConnection(outgoing));
    proxy.once('proxyRes', (answer) => this.#collect(answer));
    proxy.web(this.#derived, new ServerResponse(this.#derived), {}, (error) => this.#fail(faultOf(error)));
  }

  #watchConnection(outgoing: ClientRequest): void {
    outgoing.socket?.once(this.#target.isTls ? 'secureConnect' : 'connect', () => {
      this.#isConnected = true;
      this.#onProgress();
    });
  }

  /** What is waited for changes: first the connection, then the body, then the answer. */
  #onProgress(): void {
    // A small body ends in memory before there is a connection to carry it.
    if (!this.#isConnected) return;
    if (!this.#meter.readableEnded) this.#arm(this.#target.timeouts.idleMs, () => this.#onSilence());
    else this.#arm(this.#call.waitMsMax, () => this.#fail(upstreamAway('does not answer in time')));
  }

  #onSilence(): void {
    // Bytes that wait in the meter were not taken by the upstream; none waiting: the client sends none.
    if (this.#meter.isHeldUp()) this.#fail(upstreamAway('takes no more bytes'));
    else this.#endBody('stalled');
  }

  #collect(answer: IncomingMessage): void {
    const chunks: Buffer[] = [];
    let length = 0;
    answer.on('data', (chunk: Buffer) => {
      length += chunk.length;
      chunks.push(chunk);
      if (length > SMALL_BYTES_MAX) this.#fail(upstreamBroken(`more than ${SMALL_BYTES_MAX} bytes`));
    });
    answer.on('error', (error) => this.#fail(faultOf(error)));
    // Emitted for a whole answer only; a cut one ends in the error above.
    answer.on('end', () => {
      const whole = { status: answer.statusCode ?? 0, headers: answer.headers, bytes: Buffer.concat(chunks) };
      this.#settled.resolve({ kind: 'answered', answer: whole, sentBytes: this.#meter.passedBytes });
    });
  }

  readonly #onCut = (): void => {
    if (!this.#call.body.request.complete) this.#endBody('cut');
  };

  #endBody(problem: BodyProblem): void {
    this.#settled.resolve({ kind: 'body', problem });
  }

  #fail(error: Error): void {
    this.#settled.reject(error);
  }

  #arm(ms: number, act: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(act, ms);
  }

  #release(): void {
    const { request } = this.#call.body;
    clearTimeout(this.#timer);
    request.off('error', this.#onCut);
    request.off('close', this.#onCut);
    request.unpipe(this.#meter);
    // The package's own way to let go of its connection; after a whole answer there is nothing left to let go
    // of.
    this.#derived.emit('aborted');
    this.#meter.destroy();
  }
}

/** The only headers an upload carries upstream. None of them is copied from the client's request. */
function deriveRequest(target: Target, call: UploadCall): IncomingMessage {
  const { contentLength, range } = call.body;
  const derived = new IncomingMessage(new Socket());
  derived.method = call.method;
  derived.url = call.path;
  derived.headers = {
    host: target.url.host,
    'user-agent': 'dockgate',
    'accept-encoding': 'identity',
    // docker-registry answers 500 to any other type.
    'content-type': 'application/octet-stream',
    ...(contentLength === undefined
      ? { 'transfer-encoding': 'chunked' }
      : { 'content-length': String(contentLength) }),
    ...(range === undefined ? {} : { 'content-range': `${range.first}-${range.last}` }),
    ...(call.authorization === undefined ? {} : { authorization: call.authorization }),
  };
  return derived;
}

function expectedBytes({ contentLength, range }: UploadBody): number | undefined {
  return contentLength ?? (range === undefined ? undefined : range.last - range.first + 1);
}
