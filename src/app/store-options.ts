import type { StoreOptions } from '../store/index.ts';
import type { NodeConfig } from './node-config.ts';
import { quotasOf } from './quotas-of.ts';

/** Which databases the node uses, and what its repositories may hold. */
export function storeOptions(
  config: Pick<NodeConfig, 'dataDirectory' | 'databasePath' | 'postgres' | 'limits' | 'webhooks'>,
): StoreOptions {
  return {
    directory: config.dataDirectory,
    mainPath: config.databasePath,
    postgres: config.postgres,
    quotas: quotasOf(config),
    notesScans: config.webhooks.some(({ events }) => events.includes('image.scanned')),
  };
}
