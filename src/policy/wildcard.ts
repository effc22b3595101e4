import { matchesStars } from '../oci/index.ts';

/**
 * Whether the text fits one of the patterns, in which `*` stands for any characters. Letters are compared whatever
 * their case, since media types, license identifiers and package names are.
 */
export function matchesAny(patterns: readonly string[], text: string): boolean {
  const subject = text.toLowerCase();
  return patterns.some((pattern) => matchesStars(pattern.toLowerCase(), subject));
}
