import type { Server } from 'node:http';
import { AggregatorRegistry, Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { MINUTE_MS, SECOND_MS } from '../base/index.ts';
import { routeKind } from './route-kind.ts';

/** What one process counted, as JSON, to be sent to the one that answers /metrics. */
export type MetricsSnapshot = readonly object[];

/**
 * Counts of this process. Labels are short lists of our own words: no repository, user or address ever becomes one,
 * for the page is read by whoever may reach the port, and every new value costs memory for ever.
 */
export interface Metrics {
  /** Counts every request of the server and how long its answer took. */
  observeServer(server: Pick<Server, 'on'>): void;
  /** One decision of the gateway or the API. */
  decided(decision: { readonly action: string; readonly outcome: 'allowed' | 'refused' }): void;
  /** One verdict that a pull asked for. */
  judged(outcome: 'allow' | 'block' | 'unscanned'): void;
  scanned(scan: { readonly scanner: string; readonly status: string; readonly durationMs: number }): void;
  recorded(write: { readonly isDurable: boolean; readonly durationMs: number }): void;
  /** A value that is read when somebody asks for the metrics. */
  gauge(options: {
    readonly name: `dockgate_${string}`;
    readonly help: string;
    readonly read: () => number | Promise<number>;
  }): void;
  snapshot(): Promise<MetricsSnapshot>;
  close(): void;
}

const REQUEST_SECONDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120];
const RECORD_SECONDS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5];
const SCAN_SECONDS = [0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 600];

export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const requests = new Histogram({
    name: 'dockgate_request_duration_seconds',
    help: 'From the request to the end of its answer, by kind of route, method and class of status.',
    labelNames: ['route', 'method', 'status'],
    buckets: REQUEST_SECONDS,
    registers,
  });
  const decisions = new Counter({
    name: 'dockgate_decisions_total',
    help: 'Decisions recorded in the access log, by action and outcome.',
    labelNames: ['action', 'outcome'],
    registers,
  });
  const verdicts = new Counter({
    name: 'dockgate_verdicts_total',
    help: 'Verdicts that pulls asked for, by outcome.',
    labelNames: ['outcome'],
    registers,
  });
  const scans = new Histogram({
    name: 'dockgate_scan_duration_seconds',
    help: 'Finished scans, by scanner and status.',
    labelNames: ['scanner', 'status'],
    buckets: SCAN_SECONDS,
    registers,
  });
  const records = new Histogram({
    name: 'dockgate_audit_write_duration_seconds',
    help: 'Time until a record of the access log was durable.',
    buckets: RECORD_SECONDS,
    registers,
  });
  const failures = new Counter({
    name: 'dockgate_audit_write_failures_total',
    help: 'Records that could not be made durable; their requests were answered 503.',
    registers,
  });
  return {
    observeServer: (server) => observe(server, requests),
    decided: ({ action, outcome }) => decisions.inc({ action, outcome }),
    judged: (outcome) => verdicts.inc({ outcome }),
    scanned: ({ scanner, status, durationMs }) => scans.observe({ scanner, status }, durationMs / SECOND_MS),
    recorded: ({ isDurable, durationMs }) =>
      isDurable ? records.observe(durationMs / SECOND_MS) : failures.inc(),
    gauge({ name, help, read }) {
      new Gauge({
        ...{ name, help, registers, aggregator: 'sum' },
        async collect() {
          this.set(await read());
        },
      });
    },
    snapshot: () => registry.getMetricsAsJSON(),
    close: () => registry.clear(),
  };
}

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']);

function observe(server: Pick<Server, 'on'>, requests: Histogram<'route' | 'method' | 'status'>): void {
  server.on('request', (request, response) => {
    const end = requests.startTimer();
    const method = METHODS.has(request.method ?? '') ? (request.method ?? '') : 'other';
    const route = routeKind(request.url ?? '');
    response.once('close', () => {
      const status = response.headersSent ? `${Math.floor(response.statusCode / 100)}xx` : 'none';
      end({ route, method, status });
    });
  });
}

/** Puts together what the processes of the node counted. */
export interface MetricsHub {
  /** Keeps the newest snapshot of a process; one that has not reported for a minute is forgotten. */
  report(process: string, snapshot: MetricsSnapshot): Promise<void>;
  /** The page, in the text format of Prometheus. */
  print(): Promise<string>;
}

export function createMetricsHub(clock: { monotonicMs(): number }): MetricsHub {
  const reports = new Map<string, { readonly snapshot: MetricsSnapshot; readonly atMs: number }>();
  return {
    report: async (process, snapshot) => {
      reports.set(process, { snapshot, atMs: clock.monotonicMs() });
    },
    print: async () => {
      for (const [process, { atMs }] of reports) {
        if (clock.monotonicMs() - atMs > MINUTE_MS) reports.delete(process);
      }
      return AggregatorRegistry.aggregate(
        [...reports.values()].map(({ snapshot }) => [...snapshot]),
      ).metrics();
    },
  };
}
