import type { Logger } from '../base/index.ts';
import { readTrust } from '../trust/index.ts';
import type { NodeConfig } from './node-config.ts';

/**
 * Reads the configuration again for whom it trusts; nothing else of it is taken up.
 *
 * @param load reads and checks the whole configuration.
 * @returns what to tell every process; `undefined` when it cannot be used, which is logged.
 */
export async function reloadTrust(
  load: () => Promise<Pick<NodeConfig, 'trust'>>,
  { logger }: { readonly logger: Logger },
): Promise<NodeConfig['trust'] | undefined> {
  try {
    const { trust } = await load();
    // Once here, before every process would stumble over it.
    readTrust(trust);
    return trust;
  } catch (error) {
    logger.error('trust not reloaded, what was trusted before goes on', {}, error);
    return undefined;
  }
}
