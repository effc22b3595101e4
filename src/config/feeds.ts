import { resolve } from 'node:path';
import type { FeedName } from '../policy/index.ts';
import type { Settings } from './schema.ts';

/** Lists about vulnerabilities that are loaded from elsewhere. */
export interface FeedsConfig {
  /** An https address, or an absolute path. */
  readonly sources: { readonly [Name in FeedName]?: string };
  readonly everyMs: number;
  readonly caFile: string | undefined;
  readonly allowsPrivate: boolean;
}

export function toFeeds(
  { epss, kev, every, caFile, privateAddresses }: Settings['feeds'],
  directory: string,
): FeedsConfig {
  const located = (source: string) => (isFeedAddress(source) ? source : resolve(directory, source));
  return {
    sources: {
      ...(epss === undefined ? {} : { epss: located(epss) }),
      ...(kev === undefined ? {} : { kev: located(kev) }),
    },
    everyMs: every,
    caFile: caFile === undefined ? undefined : resolve(directory, caFile),
    allowsPrivate: privateAddresses,
  };
}

function isFeedAddress(text: string): boolean {
  return text.startsWith('https://');
}
