import type { Source } from '../../src/content/index.ts';
import type { SourceUnderTest } from '../contracts/source-bench.ts';

/**
 * A source as the helpers of the contract suite take it; an upstream links by itself, and its owner closes
 * it.
 */
export function benchOf(source: Source): SourceUnderTest {
  return { source, link: async () => undefined, close: async () => undefined };
}
