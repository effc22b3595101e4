import type { Logger } from '../base/index.ts';
import { onTrust } from './messages.ts';
import type { Surfaces } from './surfaces.ts';

/** In a child: what the primary read again decides about signatures from the next request on. */
export function takeUpTrust(
  surfaces: Pick<Surfaces, 'replaceTrust'>,
  { logger }: { readonly logger: Logger },
): void {
  onTrust((trust) => {
    try {
      surfaces.replaceTrust(trust);
      logger.info('trust reloaded');
    } catch (error) {
      // The primary has read the same before it told us.
      logger.error('trust not reloaded, what was trusted before goes on', {}, error);
    }
  });
}
