export interface Challenge {
  /** Lower case. */
  readonly scheme: string;
  /** Names in lower case. */
  readonly parameters: ReadonlyMap<string, string>;
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+/;
const QUOTED = /^"((?:[^"\\]|\\.)*)"/;
const CHALLENGES_MAX = 8;

/**
 * Reads WWW-Authenticate: several challenges with their parameters, quoted or not. What cannot be read ends
 * the list, so that a half-understood challenge is never acted upon.
 * @see RFC 9110, 11.6.1
 */
export function parseChallenges(header: string): readonly Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  let rest = header.trim();
  while (rest !== '' && challenges.length <= CHALLENGES_MAX) {
    const name = TOKEN.exec(rest)?.[0];
    if (name === undefined) return challenges;
    rest = rest.slice(name.length);
    const assigned = /^\s*=\s*/.exec(rest)?.[0];
    if (assigned === undefined) {
      challenges.push({ scheme: name.toLowerCase(), parameters: new Map() });
      rest = rest.replace(/^[\s,]+/, '');
      continue;
    }
    const value = readValue(rest.slice(assigned.length));
    const current = challenges.at(-1);
    if (!value || !current || current.parameters.has(name.toLowerCase())) return challenges.slice(0, -1);
    current.parameters.set(name.toLowerCase(), value.text);
    rest = rest.slice(assigned.length + value.length).replace(/^[\s,]+/, '');
  }
  return challenges;
}

function readValue(text: string): { readonly text: string; readonly length: number } | undefined {
  const quoted = QUOTED.exec(text);
  if (quoted) return { text: (quoted[1] ?? '').replace(/\\(.)/g, '$1'), length: quoted[0].length };
  const token = TOKEN.exec(text)?.[0];
  return token === undefined ? undefined : { text: token, length: token.length };
}
