import type { FeedName } from '../policy/index.ts';
import type { FeedEntries } from '../verdicts/index.ts';

/** Why a feed cannot be used: completes "SOURCE ...". What was loaded before stays in force. */
export class FeedProblem extends Error {
  override readonly name = 'FeedProblem';
}

/** @throws {FeedProblem} it is not what it should be. */
export type ReadFeed<Name extends FeedName> = (bytes: Uint8Array) => {
  /** The instant that it says it is of. */
  readonly madeAtMs: number;
  readonly pieces: Iterable<FeedEntries[Name]>;
};
