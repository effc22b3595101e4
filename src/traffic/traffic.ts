import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type Clock, sayBytes } from '../base/index.ts';
import {
  type Allowance,
  type Excess,
  excessOf,
  newTally,
  renewTally,
  sourceOf,
  type Tally,
  WINDOW_MS,
} from '../limits/index.ts';
import { matchesPattern, type Pattern, type Refusal, type Repository, refuse } from '../oci/index.ts';
import { clientAddress } from './client-address.ts';
import type { TrafficCounts } from './ports.ts';

export interface TrafficOptions {
  /** This process, for the common count. */
  readonly name: string;
  readonly address: Allowance;
  readonly principal: Allowance;
  /** What all repositories of a pattern get together. */
  readonly repositories: readonly { readonly pattern: Pattern; readonly allowance: Allowance }[];
}

/** Who asks, as far as counting goes. */
export interface Counted {
  /** Anonymous callers are counted by their addresses: together they would starve each other. */
  readonly kind: string;
  readonly id: string;
  readonly name: string;
}

export interface TooMuch {
  readonly refusal: Refusal;
  /** For the record: `limit.requests`, `limit.bytes`, `limit.streams`. */
  readonly reason: string;
}

/**
 * How much traffic there is, and whether one request more is too much. Each process decides by what it has counted
 * and what all together had counted a moment ago: no request waits for that, and a limit may be passed by what
 * happens meanwhile.
 */
export interface Traffic {
  /** Counts a request for its address, until its answer has ended. @returns why not, and then it is not counted. */
  arrive(request: IncomingMessage, response: ServerResponse): TooMuch | undefined;
  /** Counts a request that has arrived for who was proved to ask. */
  claim(response: ServerResponse, principal: Counted): TooMuch | undefined;
  /** Counts a request that has arrived for what it is about; only where it is allowed, else strangers could use that up. */
  enter(response: ServerResponse, repository: Repository): TooMuch | undefined;
  close(): void;
}

/** For who speaks through the socket of the machine itself. */
export const UNLIMITED_TRAFFIC: Traffic = {
  arrive: () => undefined,
  claim: () => undefined,
  enter: () => undefined,
  close: () => {},
};

interface Visit {
  readonly socket: Socket;
  readonly tallies: Tally[];
  /** Bytes of the connection that are counted already. */
  moved: number;
}

interface Wanted {
  readonly key: string;
  readonly allowance: Allowance;
  /** In the sentence of the refusal. */
  readonly whose: string;
}

const SHARE_EVERY_MS = 250;
/** Under way is over at any moment. */
const STREAMS_RETRY_SECONDS = 2;

export function createTraffic(
  options: TrafficOptions,
  parts: { readonly counts: TrafficCounts; readonly clock: Clock },
): Traffic {
  const { counts, clock } = parts;
  const tallies = new Map<string, Tally>();
  const visits = new Map<ServerResponse, Visit>();
  const now = () => clock.monotonicMs();

  const tallyOf = (key: string, nowMs: number): Tally => {
    const known = tallies.get(key) ?? newTally(nowMs);
    tallies.set(key, known);
    renewTally(known, nowMs);
    return known;
  };
  const admit = (visit: Visit, wanted: readonly Wanted[]): TooMuch | undefined => {
    const nowMs = now();
    const found = wanted.map((one) => ({ ...one, tally: tallyOf(one.key, nowMs) }));
    for (const { allowance, whose, tally } of found) {
      const excess = excessOf(tally, allowance);
      if (excess) return tooMuch(excess, allowance, whose, tally.endsAtMs - nowMs);
    }
    for (const { tally } of found) {
      tally.requests += 1;
      tally.newRequests += 1;
      tally.running += 1;
      visit.tallies.push(tally);
    }
    return undefined;
  };
  const countBytes = (visit: Visit): void => {
    const moved = movedOn(visit.socket);
    for (const tally of visit.tallies) {
      tally.bytes += moved - visit.moved;
      tally.newBytes += moved - visit.moved;
    }
    visit.moved = moved;
  };
  const leave = (response: ServerResponse): void => {
    const visit = visits.get(response);
    if (!visit) return;
    countBytes(visit);
    visits.delete(response);
    for (const tally of visit.tallies) tally.running -= 1;
  };
  const more = (response: ServerResponse, wanted: readonly Wanted[]): TooMuch | undefined => {
    const visit = visits.get(response);
    // Its client has gone: nobody gets an answer.
    return visit ? admit(visit, wanted) : undefined;
  };

  const share = async (): Promise<void> => {
    for (const visit of visits.values()) countBytes(visit);
    const nowMs = now();
    const told = [...tallies].filter(([key, tally]) => {
      const isQuiet = tally.newRequests === 0 && tally.newBytes === 0 && tally.running === 0;
      // Others are told once more when the last one has ended.
      if (isQuiet && nowMs >= tally.endsAtMs) tallies.delete(key);
      return !isQuiet || tally.elsewhere > 0 || nowMs < tally.endsAtMs;
    });
    if (told.length === 0) return;
    const counted = told.map(([key, tally]) => {
      const { newRequests: requests, newBytes: bytes, running: streams } = tally;
      tally.newRequests = 0;
      tally.newBytes = 0;
      return { key, requests, bytes, streams };
    });
    for (const total of await counts.share(options.name, counted)) {
      const tally = tallies.get(total.key);
      if (!tally) continue;
      tally.requests = total.requests + tally.newRequests;
      tally.bytes = total.bytes + tally.newBytes;
      tally.elsewhere = total.streams;
      tally.endsAtMs = now() + total.endsInMs;
    }
  };
  let isSharing = false;
  const timer = setInterval(() => {
    if (isSharing) return;
    isSharing = true;
    // Without the common count each process goes by its own.
    share()
      .catch(() => {})
      .finally(() => {
        isSharing = false;
      });
  }, SHARE_EVERY_MS);
  timer.unref();

  return {
    arrive(request, response) {
      const source = sourceOf(clientAddress(request));
      const visit = { socket: request.socket, tallies: [], moved: movedOn(request.socket) };
      const wanted = { key: `address ${source}`, allowance: options.address, whose: `address ${source}` };
      const refused = admit(visit, [wanted]);
      if (refused) return refused;
      visits.set(response, visit);
      response.once('close', () => leave(response));
      return undefined;
    },
    claim(response, { kind, id, name }) {
      if (kind === 'anonymous') return undefined;
      const wanted = { key: `principal ${id}`, allowance: options.principal, whose: `${kind} ${name}` };
      return more(response, [wanted]);
    },
    enter(response, repository) {
      const wanted = options.repositories
        .filter(({ pattern }) => matchesPattern(pattern, repository))
        .map(({ pattern: { text }, allowance }) => ({
          ...{ key: `repositories ${text}`, allowance, whose: `repositories ${text}` },
        }));
      return wanted.length === 0 ? undefined : more(response, wanted);
    },
    close: () => clearInterval(timer),
  };
}

function movedOn(socket: Socket): number {
  return socket.bytesRead + socket.bytesWritten;
}

function tooMuch(excess: Excess, allowance: Allowance, whose: string, restMs: number): TooMuch {
  const seconds = excess === 'streams' ? STREAMS_RETRY_SECONDS : Math.max(1, Math.ceil(restMs / 1000));
  const over = `a second over ${WINDOW_MS / 1000} s`;
  const what = {
    requests: `too many requests of ${whose}: at most ${allowance.requests} ${over}`,
    bytes: `too much traffic of ${whose}: at most ${sayBytes(allowance.bytes ?? 0)} ${over}`,
    streams: `too many requests of ${whose} at once: at most ${allowance.streams}`,
  }[excess];
  const refusal = refuse('TOOMANYREQUESTS', `dockgate: ${what}; try again in ${seconds} s`, {
    headers: { 'retry-after': String(seconds) },
  });
  return { refusal, reason: `limit.${excess}` };
}
