import type { Clock } from '../base/index.ts';
import { WINDOW_MS } from '../limits/index.ts';
import type { TrafficCounts } from './ports.ts';

interface Window {
  requests: number;
  bytes: number;
  endsAtMs: number;
  /** By process, with when it said so. */
  readonly streams: Map<string, { readonly count: number; readonly atMs: number }>;
}

/** A process that has been silent for so long has ended, and what ran in it as well. */
const STREAMS_MS_MAX = 5000;

/** Adds up what the processes of a node count, in memory. */
export function createTrafficCounts({ clock }: { readonly clock: Clock }): TrafficCounts {
  const windows = new Map<string, Window>();
  let sweepAtMs = 0;

  const sweep = (nowMs: number): void => {
    if (nowMs < sweepAtMs) return;
    sweepAtMs = nowMs + WINDOW_MS;
    for (const [key, { endsAtMs, streams }] of windows) {
      for (const [process, { atMs }] of streams) {
        if (nowMs - atMs > STREAMS_MS_MAX) streams.delete(process);
      }
      if (nowMs >= endsAtMs && streams.size === 0) windows.delete(key);
    }
  };
  const windowOf = (key: string, nowMs: number): Window => {
    const known = windows.get(key) ?? { requests: 0, bytes: 0, endsAtMs: 0, streams: new Map() };
    if (nowMs >= known.endsAtMs) Object.assign(known, { requests: 0, bytes: 0, endsAtMs: nowMs + WINDOW_MS });
    windows.set(key, known);
    return known;
  };

  return {
    async share(process, counted) {
      const nowMs = clock.monotonicMs();
      sweep(nowMs);
      return counted.map(({ key, requests, bytes, streams }) => {
        const window = windowOf(key, nowMs);
        window.requests += requests;
        window.bytes += bytes;
        if (streams > 0) window.streams.set(process, { count: streams, atMs: nowMs });
        else window.streams.delete(process);
        let others = 0;
        for (const [name, { count, atMs }] of window.streams) {
          if (name !== process && nowMs - atMs <= STREAMS_MS_MAX) others += count;
        }
        return {
          key,
          requests: window.requests,
          bytes: window.bytes,
          streams: others,
          endsInMs: window.endsAtMs - nowMs,
        };
      });
    },
  };
}
