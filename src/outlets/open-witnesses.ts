import { join } from 'node:path';
import { parseCosignerKey } from '../audit/index.ts';
import { type Clock, type Logger, type Random, SECOND_MS, StartError } from '../base/index.ts';
import { createFileKeeper } from './file-keeper.ts';
import { createHttpKeeper, type HttpKeeperOptions } from './http-keeper.ts';
import type { PostTarget } from './http-post.ts';
import type { OutletState } from './pump.ts';
import { createS3Keeper, type S3KeeperOptions } from './s3-keeper.ts';
import type { SyslogOptions } from './syslog.ts';
import { createSyslogKeeper } from './syslog-keeper.ts';
import { createTlogKeeper } from './tlog-keeper.ts';
import { type HeadSource, type Keeper, Witness } from './witness.ts';

/** One place of the configuration that checkpoints are sent to. */
export type WitnessConfig = { readonly name: string; readonly everyMs: number } & (
  | { readonly kind: 'file'; readonly path: string }
  | ({ readonly kind: 'http' } & HttpKeeperOptions)
  | ({ readonly kind: 'tlog-witness'; readonly publicKey: string } & PostTarget)
  | ({ readonly kind: 's3' } & S3KeeperOptions)
  | ({ readonly kind: 'syslog' } & SyslogOptions)
);

export interface Witnesses {
  states(): readonly OutletState[];
  close(): Promise<void>;
}

interface WitnessesParts {
  readonly source: HeadSource;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

const SEND_MS_MAX = 10 * SECOND_MS;

/**
 * Sends checkpoints to all places, each by itself: one that is away holds up nobody else.
 *
 * @throws {StartError} the key of a witness is none.
 */
export function openWitnesses(
  { directory, witnesses }: { readonly directory: string; readonly witnesses: readonly WitnessConfig[] },
  parts: WitnessesParts,
): Witnesses {
  const running = witnesses.map((config) => {
    const { name, kind, everyMs } = config;
    const keeper = createKeeper(config, join(directory, name), parts);
    return new Witness({ name, kind, everyMs, sendMsMax: SEND_MS_MAX }, { ...parts, keeper });
  });
  return {
    states: () => running.map((witness) => witness.state()),
    close: async () => void (await Promise.all(running.map((witness) => witness.close()))),
  };
}

function createKeeper(config: WitnessConfig, path: string, parts: WitnessesParts): Keeper {
  switch (config.kind) {
    case 'file':
      return createFileKeeper(config);
    case 'http':
      return createHttpKeeper(config, parts);
    case 'tlog-witness': {
      const cosigner = parseCosignerKey(config.publicKey);
      if (cosigner === undefined) {
        throw new StartError(
          `audit.witnesses: the publicKey of ${config.name} is not the key of an Ed25519 cosigner (type 4)`,
        );
      }
      return createTlogKeeper({ ...config, cosigner, path }, parts.source);
    }
    case 's3':
      return createS3Keeper(config);
    case 'syslog':
      return createSyslogKeeper(config, parts);
  }
}
