/** Bits per character: 0 for `aaaa`, about 4.7 for random letters and digits of some length. */
function entropyOf(text: string): number {
  const counts = new Map<string, number>();
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length);
  return bits;
}

const SEQUENCES = ['0123456789', 'abcdefghij', 'ABCDEFGHIJ', '1234567890', 'qwertyuiop', 'deadbeef'];
const SAMPLE_WORDS =
  /example|sample|placeholder|redacted|replace|dummy|xxxxx|\*\*\*|\.\.\.|\b(?:fake|your)[-_]/i;

/**
 * Whether the random part of a token could be real: drawn at random, it has neither a word that says "example",
 * nor a run of the alphabet, nor so few different characters.
 */
export function isRandomEnough(body: string, entropyMin = 3): boolean {
  if (SAMPLE_WORDS.test(body)) return false;
  if (SEQUENCES.some((sequence) => body.includes(sequence.slice(0, 8)))) return false;
  return entropyOf(body) >= entropyMin;
}

/** A value that stands for another: `${VAR}`, `$VAR`, `{{ x }}`, `<password>`, `%(x)s`, `%VAR%`, `@X@`, `#{x}`. */
const REFERENCE = /^[$`]|^<|^%[(A-Z{]|^@.*@$|^%s|\$\{|\{\{|#\{|\$\(|^\{.*\}$|^\[.*\]$|^&|^!/;
/** What people write in place of a password, anywhere in it ... */
const SAMPLE_PASSWORD =
  /p[a@4][s$5]{2}(?:w[o0]rd|wd|phrase|wort)|username|change|example|sample|dummy|placeholder|redacted|insert|replace|hidden|default|undefined|secret|admin|guest|anonymous|token|value|string|empty|blank|private|hello|hunter|swordfish|letmein|monkey|alice|qwert|1234|\*\*\*|\.\.\./i;
/** ... and as a word of its own, where a longer word or random letters may hold it by chance. */
const SAMPLE_PASSWORD_WORD =
  /(?<![a-z])(?:p[a4@]ss|pwd|user|your|my|fake|foo|bar|baz|test(?:ing)?|demo|none|null|nil|true|false|root|joe|bob|abc|asdf|x{3,})(?![a-z])/i;

/** The name of a constant: `FORCE_PLUS_PERMANENT`. */
const CONSTANT = /^[A-Z]+(?:_[A-Z]+)+$/;

/** Whether a person's password could look like this; for places where samples are as common as real ones. */
export function isPlausiblePassword(value: string): boolean {
  if (value.length < 8 || value.length > 200 || /\s/.test(value)) return false;
  if (REFERENCE.test(value) || SAMPLE_PASSWORD.test(value) || SAMPLE_PASSWORD_WORD.test(value)) return false;
  if (CONSTANT.test(value)) return false;
  return characterClasses(value) >= 2 && entropyOf(value) >= 2.7;
}

/** Weaker, for places that are real by nature, such as an image's environment: only stand-ins do not count. */
export function isStatedPassword(value: string): boolean {
  if (value.length < 4 || /^\s*$/.test(value) || REFERENCE.test(value)) return false;
  // A file that holds it, or a count: `MAX_TOKEN=4096`.
  if (/^(?:\/|\.\/|file:)|^\d{1,5}$/.test(value)) return false;
  return !/^(?:true|false|yes|no|none|null|nil|undefined|enabled?|disabled?|auto|required?|optional|always|never|change_?me|<.*>|x+|\*+)$/i.test(
    value,
  );
}

function characterClasses(value: string): number {
  return [/[a-z]/, /[A-Z]/, /[0-9]/, /[^a-zA-Z0-9]/].filter((kind) => kind.test(value)).length;
}

/** Hosts that nobody owns or that are this machine: RFC 2606, RFC 6761, and the sample names of manuals. */
export function isSampleHost(host: string): boolean {
  const name = host.toLowerCase().replace(/:.*$/, '').replace(/\.$/, '');
  return (
    /(?:^|\.)(?:example|test|invalid|localhost|local|localdomain|example\.(?:com|org|net|edu))$/.test(name) ||
    /^(?:host|hostname|server|proxy|domain|foo|bar|baz|a|b|c|x|[a-z]{1,2}\.[a-z]{1,3})$/.test(name) ||
    /(?:^|[.-])(?:foo|bar|example|domain|somewhere|yourhost|myhost|mydomain|host)(?:[.-]|$)/.test(name) ||
    /^(?:127\.|0\.0\.0\.0|10\.0\.0\.|192\.168\.|192\.0\.2\.|198\.51\.100\.|203\.0\.113\.|\[)/.test(name)
  );
}
