import type { RowSet } from './bench.ts';
import { BLOBS_COLD, BLOBS_WARM } from './rows/blobs.ts';
import { GROWTH } from './rows/growth.ts';
import { IMAGES_AT_ONCE, PUSH } from './rows/images.ts';
import { MANIFEST_NEW, MANIFESTS_WARM } from './rows/manifests.ts';
import { MEMORY, MEMORY_HOUR } from './rows/memory.ts';
import { OPEN_LOOP } from './rows/open-loop.ts';
import { STAMPEDE } from './rows/stampede.ts';
import { START } from './rows/start.ts';

/** Everything that can be measured, in the order of the page. */
export const SETS: readonly RowSet[] = [
  ...[MANIFESTS_WARM, MANIFEST_NEW, BLOBS_WARM, BLOBS_COLD, IMAGES_AT_ONCE, PUSH],
  ...[STAMPEDE, OPEN_LOOP, MEMORY, START, GROWTH, MEMORY_HOUR],
];
