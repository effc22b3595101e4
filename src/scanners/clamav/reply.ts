/** What clamd says of one stream. */
export type Reply =
  | { readonly kind: 'clean' }
  /** `signature`: `Win.Test.EICAR_HDB-1`. */
  | { readonly kind: 'found'; readonly signature: string }
  /** It has not looked at all of it. */
  | { readonly kind: 'limit' }
  /** It could not look: no room for its temporary file, it is reloading ... */
  | { readonly kind: 'failed'; readonly text: string };

/** With `AlertExceedsMax yes` clamd reports under these names what it has not looked at. */
const LIMIT_SIGNATURE = /^Heuristics\.Limits\.Exceeded/;

/**
 * Reads one reply to INSTREAM. Whatever is not plainly "OK" is not clean.
 *
 * @see clamd(8), COMMANDS
 */
export function parseReply(line: string): Reply {
  // In a session each reply begins with the number of its command.
  const text = line.replace(/^\d+: /, '');
  if (text === 'stream: OK') return { kind: 'clean' };
  const signature = /^stream: (.+) FOUND$/.exec(text)?.[1];
  if (signature !== undefined) {
    return LIMIT_SIGNATURE.test(signature) ? { kind: 'limit' } : { kind: 'found', signature };
  }
  return text.startsWith('INSTREAM size limit exceeded') ? { kind: 'limit' } : { kind: 'failed', text };
}
