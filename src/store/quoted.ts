import { plainMessage } from '../oci/index.ts';

/** A name from outside, inside a sentence. */
export function quoted(name: string): string {
  return `"${plainMessage(name, 64)}"`;
}
