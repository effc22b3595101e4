import type { Digest } from '../oci/index.ts';
import type { Content } from './content.ts';
import type { Holder, Inventory } from './ports.ts';

/** Something that is not as it should be, and what it affects. */
export interface Flaw {
  readonly digest: Digest;
  /** `damaged`: the bytes were not what the digest says; the file was removed. `missing`: linked, and not there. */
  readonly problem: 'damaged' | 'missing';
  readonly holders: readonly Holder[];
}

export interface Verified {
  /** Files or links looked at. */
  readonly count: number;
  readonly bytes: number;
  readonly flaws: readonly Flaw[];
  /** Where to go on; absent: all was looked at. */
  readonly next?: Digest;
}

interface Options {
  /** Begins behind this digest, in byte order. */
  readonly after?: Digest;
  /** Asked after each one: whether the rest is left to the next call. */
  readonly isOver: () => boolean;
}

interface Parts {
  readonly content: Pick<Content, 'list' | 'find' | 'verify'>;
  readonly inventory: Pick<Inventory, 'listHeld' | 'holdersOf'>;
}

const PAGE_LINKS = 500;

/** Hashes every stored file. One that is damaged is removed: it is never served, and a cached one comes again. */
export async function verifyFiles(options: Options, { content, inventory }: Parts): Promise<Verified> {
  let count = 0;
  let bytes = 0;
  const flaws: Flaw[] = [];
  for await (const { digest, size } of content.list(options.after)) {
    const isRight = await content.verify(digest);
    // Absent: collected since it was listed.
    if (isRight !== undefined) count += 1;
    if (isRight) bytes += size;
    if (isRight === false) {
      flaws.push({ digest, problem: 'damaged', holders: await inventory.holdersOf(digest) });
    }
    if (options.isOver()) return { count, bytes, flaws, next: digest };
  }
  return { count, bytes, flaws };
}

/** Looks for the content of every link of the embedded registry: what is merely cached may be away at any time. */
export async function verifyLinks(options: Options, { content, inventory }: Parts): Promise<Verified> {
  let count = 0;
  let bytes = 0;
  const flaws: Flaw[] = [];
  for (let after = options.after; ; ) {
    const page = await inventory.listHeld({ limit: PAGE_LINKS, ...(after ? { last: after } : {}) });
    for (const digest of page) {
      count += 1;
      const found = await content.find(digest);
      bytes += found?.size ?? 0;
      if (found) continue;
      const holders = await inventory.holdersOf(digest);
      // None: removed since it was listed.
      if (holders.length > 0) flaws.push({ digest, problem: 'missing', holders });
    }
    after = page.at(-1);
    if (after === undefined || page.length < PAGE_LINKS) return { count, bytes, flaws };
    if (options.isOver()) return { count, bytes, flaws, next: after };
  }
}
