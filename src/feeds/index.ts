/** Loads lists about vulnerabilities from files and addresses: FIRST's EPSS scores, CISA's KEV catalog. Entered by app/. */
export type { FeedKeeper, FeedKeeperParts, FeedSettings } from './feed-keeper.ts';
export { createFeedKeeper } from './feed-keeper.ts';
export { readEpss } from './read-epss.ts';
export { readKev } from './read-kev.ts';
export type { FeedFetch } from './read-source.ts';
