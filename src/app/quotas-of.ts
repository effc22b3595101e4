import { parsePattern } from '../oci/index.ts';
import type { StoreOptions } from '../store/index.ts';
import type { NodeConfig } from './node-config.ts';

/** The storage quotas that the configuration sets. */
export function quotasOf({ limits }: Pick<NodeConfig, 'limits'>): NonNullable<StoreOptions['quotas']> {
  return limits.repositories.flatMap(({ on, storageMax }) => {
    const parsed = parsePattern(on);
    return storageMax !== undefined && parsed.ok ? [{ pattern: parsed.pattern, bytesMax: storageMax }] : [];
  });
}
