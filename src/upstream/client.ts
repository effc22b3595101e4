import { headerOf, type OpenAnswer, readWhole, SMALL_BYTES_MAX, type WholeAnswer } from './answer.ts';
import { createCircuit } from './circuit.ts';
import { createDispatchers } from './dispatchers.ts';
import { faultOf, isBrokenConnection, upstreamAway, upstreamBroken, upstreamSignInFailed } from './faults.ts';
import type { Target, UpstreamParts } from './options.ts';
import { createPatience, type Limit } from './patience.ts';
import { createSignIn, type SignIn } from './sign-in.ts';

/** One question to the upstream. */
interface Exchange {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';
  /** Path and query, built from parsed parts only. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** What our token must hold for it. */
  readonly scopes: readonly string[];
  /** Longest answer kept in memory; `small` unless said. */
  readonly bytesMax?: number;
  /** Longest time to the whole answer; `answerMs` unless said. */
  readonly waitMsMax?: number;
  /**
   * A HEAD whose connection is used again. Otherwise it is closed, since a registry that wrongly sends a body would
   * have it taken for the next answer. Only where that body could not be one: a manifest begins with a bracket.
   */
  readonly keepsConnection?: boolean;
}

/** Speaks to the upstream in our own name: signs in, follows redirects, bounds time and size. */
export interface Client {
  /** @throws {UpstreamUnavailable} no answer, a broken one, one that is too long. */
  fetch(exchange: Exchange): Promise<WholeAnswer>;
  /** A 200 with its body still to come; every other answer is whole. */
  open(exchange: Exchange): Promise<OpenAnswer | WholeAnswer>;
  readonly signIn: SignIn;
  /** How many manifests may still be read, where the upstream says so. */
  limit(): Limit | undefined;
  close(): Promise<void>;
}

const REDIRECTS_MAX = 5;
/** A repeated PUT of the same bytes changes nothing more; a repeated DELETE would turn success into 404. */
const REPEATABLE: readonly string[] = ['GET', 'HEAD', 'PUT'];
const PASSING_FAILURES: readonly number[] = [500, 502, 504];
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];

export function createClient(target: Target, parts: UpstreamParts): Client {
  const dispatchers = createDispatchers(target, parts);
  const patience = createPatience(parts.clock);
  const circuit = createCircuit(target.circuit, parts.logger, target.url.origin);
  const signIn = createSignIn(target, {
    ...parts,
    askToken: ({ url, authorization, form }) =>
      withDeadline(target.timeouts.answerMs, async (signal) =>
        readWhole(
          await send(url, form ? formExchange(form) : { method: 'GET' }, authorization, signal),
          SMALL_BYTES_MAX,
        ),
      ),
  });

  /**
   * One request, one answer. A request that may be repeated is, once, when it met a broken connection or a
   * 5xx.
   */
  async function send(url: URL, exchange: Sendable, authorization: string | undefined, signal: AbortSignal) {
    for (let attempt = 1; ; attempt += 1) {
      const isLast = attempt > 1 || !REPEATABLE.includes(exchange.method);
      try {
        const answer = await sendOnce(url, exchange, authorization, signal);
        if (isLast || !PASSING_FAILURES.includes(answer.status)) return answer;
        answer.body.destroy();
      } catch (error) {
        if (isLast || signal.aborted || !isBrokenConnection(error)) throw faultOf(error);
      }
    }
  }

  async function sendOnce(
    url: URL,
    exchange: Sendable,
    authorization: string | undefined,
    signal: AbortSignal,
  ): Promise<OpenAnswer> {
    const answer = await dispatchers.for(url).request({
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      method: exchange.method,
      headers: {
        'accept-encoding': 'identity',
        'user-agent': 'dockgate',
        ...exchange.headers,
        ...(authorization === undefined ? {} : { authorization }),
      },
      body: exchange.body ?? null,
      signal,
      ...(exchange.keepsConnection ? { reset: false } : {}),
      // Our own deadline stands for it; that one also covers the wait for a connection.
      headersTimeout: 0,
    });
    // Whoever reads the body sees its error; a body that nobody reads must not end the process by one.
    answer.body.on('error', () => undefined);
    return { status: answer.statusCode, headers: answer.headers, body: answer.body };
  }

  /**
   * To the upstream itself, with our credential; once more when it says what it wants, never a third time.
   */
  async function sendSigned(url: URL, exchange: Exchange, signal: AbortSignal): Promise<OpenAnswer> {
    const shown = await signIn.authorizationFor(exchange.scopes);
    const first = await send(url, exchange, shown, signal);
    if (first.status === 403 && (await signIn.hasNewer(shown))) {
      await readWhole(first, SMALL_BYTES_MAX);
      return send(url, exchange, await signIn.authorizationFor(exchange.scopes), signal);
    }
    if (first.status !== 401) {
      signIn.learnOpen();
      return first;
    }
    await readWhole(first, SMALL_BYTES_MAX);
    signIn.learn(challengeOf(first), exchange.scopes);
    const second = await send(url, exchange, await signIn.authorizationFor(exchange.scopes), signal);
    if (second.status !== 401) return second;
    await readWhole(second, SMALL_BYTES_MAX);
    throw upstreamSignInFailed('it refuses the credential');
  }

  /** To the upstream itself, unless it asked for patience or does not answer. */
  async function sendHome(url: URL, exchange: Exchange, signal: AbortSignal): Promise<OpenAnswer> {
    patience.refuseEarly(exchange);
    const answer = await circuit.run(() => sendSigned(url, exchange, signal));
    try {
      patience.learn(exchange, answer);
    } catch (error) {
      answer.body.destroy();
      throw error;
    }
    return answer;
  }

  async function follow(exchange: Exchange, signal: AbortSignal): Promise<OpenAnswer> {
    let url = new URL(exchange.path, target.url);
    let answer = await sendHome(url, exchange, signal);
    let isAtHome = true;
    for (let hops = 1; REDIRECTS.includes(answer.status); hops += 1) {
      if (exchange.method !== 'GET' && exchange.method !== 'HEAD') {
        answer.body.destroy();
        throw upstreamBroken('a redirect of a request that changes something');
      }
      if (hops > REDIRECTS_MAX) {
        answer.body.destroy();
        throw upstreamBroken(`more than ${REDIRECTS_MAX} redirects`);
      }
      const next = redirectTarget(answer, url);
      await readWhole(answer, SMALL_BYTES_MAX);
      // Once another origin has spoken, our credential is shown to nobody any more, not even at home.
      isAtHome &&= next.origin === target.url.origin;
      answer = isAtHome
        ? await sendHome(next, exchange, signal)
        : await send(next, exchange, undefined, signal);
      url = next;
    }
    return answer;
  }

  return {
    signIn,
    limit: patience.limit,
    fetch: (exchange) =>
      withDeadline(exchange.waitMsMax ?? target.timeouts.answerMs, async (signal) => {
        const answer = await follow(exchange, signal);
        return readWhole(answer, exchange.bytesMax ?? SMALL_BYTES_MAX);
      }),
    open: (exchange) =>
      withDeadline(exchange.waitMsMax ?? target.timeouts.answerMs, async (signal) => {
        const answer = await follow(exchange, signal);
        return answer.status === 200 ? answer : readWhole(answer, SMALL_BYTES_MAX);
      }),
    close: () => dispatchers.close(),
  };
}

type Sendable = Pick<Exchange, 'method' | 'headers' | 'body' | 'keepsConnection'>;

function formExchange(form: URLSearchParams): Sendable {
  return {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: Buffer.from(form.toString()),
  };
}

function challengeOf(answer: OpenAnswer): string {
  const header: string | string[] | undefined = answer.headers['www-authenticate'];
  return Array.isArray(header) ? header.join(', ') : (header ?? '');
}

function redirectTarget(answer: OpenAnswer, from: URL): URL {
  const location = headerOf(answer, 'location');
  const next = location !== undefined && URL.canParse(location, from) ? new URL(location, from) : undefined;
  if (!next || (next.protocol !== 'http:' && next.protocol !== 'https:')) {
    throw upstreamBroken('a redirect to nowhere we can go');
  }
  if (next.username !== '' || next.password !== '')
    throw upstreamBroken('a redirect that holds a credential');
  next.hash = '';
  return next;
}

/**
 * Runs the work under one deadline, which covers waiting for a connection, redirects, sign-in and small
 * bodies.
 */
async function withDeadline<T>(waitMsMax: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(upstreamAway('does not answer in time')), waitMsMax);
  try {
    return await work(deadline.signal);
  } finally {
    clearTimeout(timer);
  }
}
