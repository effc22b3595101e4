import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, type Logger, type Random, SECOND_MS } from '../base/index.ts';
import { createCursorFile } from './cursor-file.ts';
import { createElasticsearchReceiver, type ElasticsearchOptions } from './elasticsearch.ts';
import type { OutletFormat } from './format.ts';
import { createHttpReceiver, type HttpOutletOptions } from './http.ts';
import type { PostTarget } from './http-post.ts';
import { createOtlpReceiver } from './otlp.ts';
import type { Receiver, RecordSource } from './ports.ts';
import { type OutletState, Pump } from './pump.ts';
import { createSyslogReceiver, type SyslogOptions } from './syslog.ts';

/** One outlet of the configuration. */
export type OutletOptions = { readonly name: string } & (
  | ({ readonly kind: 'syslog'; readonly format: OutletFormat } & SyslogOptions)
  | ({ readonly kind: 'http' } & HttpOutletOptions)
  | ({ readonly kind: 'otlp' } & PostTarget)
  | ({ readonly kind: 'elasticsearch' } & ElasticsearchOptions)
);

export interface Outlets {
  states(): readonly OutletState[];
  /** The first leaf that some outlet may still need; infinite where there is none. */
  neededFrom(): number;
  close(): Promise<void>;
}

interface OutletParts {
  readonly source: RecordSource;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

const INTERVAL_MS = SECOND_MS / 4;
const BATCH_COUNT = 500;
const SEND_MS_MAX = 30 * SECOND_MS;

/**
 * Opens the outlets of a node, each with a cursor of its own below `directory`: one that is away holds up nobody else.
 */
export async function openOutlets(
  { directory, outlets }: { readonly directory: string; readonly outlets: readonly OutletOptions[] },
  parts: OutletParts,
): Promise<Outlets> {
  if (outlets.length > 0) await mkdir(directory, { recursive: true, mode: 0o700 });
  const pumps = outlets.map((options) => {
    const { name, kind } = options;
    return new Pump(
      { name, kind, batchCount: BATCH_COUNT, intervalMs: INTERVAL_MS, sendMsMax: SEND_MS_MAX },
      { ...parts, receiver: createReceiver(options, parts), cursor: createCursorFile(join(directory, name)) },
    );
  });
  return {
    states: () => pumps.map((pump) => pump.state()),
    neededFrom: () => Math.min(...pumps.map((pump) => pump.neededFrom())),
    close: async () => void (await Promise.all(pumps.map((pump) => pump.close()))),
  };
}

function createReceiver(options: OutletOptions, parts: { readonly clock: Clock }): Receiver {
  switch (options.kind) {
    case 'syslog':
      return createSyslogReceiver(options);
    case 'http':
      return createHttpReceiver(options, parts);
    case 'otlp':
      return createOtlpReceiver(options);
    case 'elasticsearch':
      return createElasticsearchReceiver(options);
  }
}
