import type { StoreOptions } from '../store/index.ts';
import type { NodeConfig } from './node-config.ts';

/** Which databases the node uses. */
export function storeOptions(
  config: Pick<NodeConfig, 'dataDirectory' | 'databasePath' | 'postgres'>,
): StoreOptions {
  return { directory: config.dataDirectory, mainPath: config.databasePath, postgres: config.postgres };
}
