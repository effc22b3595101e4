/** The segments of one part; `**` is any number of them, everything else is matched inside one. */
interface Glob {
  /** What every name that it matches begins with: most names are told apart by that alone. */
  readonly start: string;
  readonly segments: readonly string[];
}

/**
 * A set of repositories, as grants and policies write it: `team/**`, `team/app-*`, `**,!lab/**`.
 * Only parsePattern makes one. A repository is in it when one of the globs matches and none of the excluded ones.
 */
export interface Pattern {
  readonly text: string;
  readonly includes: readonly Glob[];
  readonly excludes: readonly Glob[];
}

export type PatternResult =
  | { readonly ok: true; readonly pattern: Pattern }
  /** What is wrong, for the person who wrote it. */
  | { readonly ok: false; readonly problem: string };

const TEXT_LENGTH_MAX = 1024;
const SEGMENT = /^[a-z0-9._*-]+$/;

/**
 * Reads a pattern. The parts are separated by commas; one that begins with `!` excludes. In a part, `*` stands for
 * any characters inside one segment and `**`, alone between slashes, for any number of segments (at the end: at
 * least one, so `team/**` is what lies below `team`, not `team` itself). A part always covers the whole name.
 * Nothing else is special: there are no regular expressions, so no pattern can mean more than it shows.
 */
export function parsePattern(text: string): PatternResult {
  if (text.length > TEXT_LENGTH_MAX) return no(`the pattern is longer than ${TEXT_LENGTH_MAX} characters`);
  const includes: Glob[] = [];
  const excludes: Glob[] = [];
  for (const part of text.split(',').map((one) => one.trim())) {
    const isExcluded = part.startsWith('!');
    const glob = isExcluded ? part.slice(1) : part;
    const problem = globProblem(glob);
    if (problem !== undefined) return no(`in pattern "${printable(text)}": ${problem}`);
    (isExcluded ? excludes : includes).push(compile(glob));
  }
  if (includes.length === 0) {
    return no(
      `pattern "${printable(text)}" only excludes; put what it covers first, such as "**,${printable(text)}"`,
    );
  }
  return { ok: true, pattern: { text, includes, excludes } };
}

/** Whether the whole name is covered. Takes time linear in the name for each `*`, whatever the pattern. */
export function matchesPattern(pattern: Pattern, name: string): boolean {
  if (!pattern.includes.some(({ start }) => name.startsWith(start))) return false;
  const segments = name.split('/');
  if (segments.includes('')) return false;
  return (
    pattern.includes.some((glob) => matchesGlob(glob, segments)) &&
    !pattern.excludes.some((glob) => matchesGlob(glob, segments))
  );
}

function no(problem: string): PatternResult {
  return { ok: false, problem };
}

function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 80);
}

function globProblem(glob: string): string | undefined {
  if (glob === '') return 'a part is empty';
  if (glob.startsWith('/') || glob.endsWith('/')) return 'a part must not begin or end with a slash';
  const segments = glob.split('/');
  for (const [index, segment] of segments.entries()) {
    if (segment === '') return 'two slashes follow each other';
    if (!SEGMENT.test(segment)) {
      return `"${printable(segment)}" holds a character other than a-z 0-9 . _ - and the wildcards * and **`;
    }
    if (segment === '.' || segment === '..') return `"${segment}" can be no part of a repository's name`;
    if (segment.includes('**') && segment !== '**')
      return '** must stand alone between slashes, as in team/**';
    if (segment === '**' && segments[index + 1] === '**') return '**/** means the same as **; write it once';
  }
  return undefined;
}

/** A `**` at the end needs one segment at least: it is any number of segments and then one of any name. */
function compile(glob: string): Glob {
  const segments = glob.split('/');
  const [start = ''] = glob.split('*');
  return { start, segments: segments.at(-1) === '**' ? [...segments, '*'] : segments };
}

function matchesGlob(glob: Glob, segments: readonly string[]): boolean {
  return matchesWild(glob.segments, segments, '**', matchesStars);
}

/** Whether the whole text fits a glob in which `*` stands for any characters, none included. */
export function matchesStars(glob: string, text: string): boolean {
  if (!glob.includes('*')) return glob === text;
  return matchesWild([...glob], [...text], '*', (wanted, given) => wanted === given);
}

/**
 * Wildcard matching that only ever goes back to the last wildcard: more would never find another match, and going
 * back to all of them takes exponential time on hostile patterns.
 */
function matchesWild(
  wanted: readonly string[],
  given: readonly string[],
  wildcard: string,
  matchesOne: (wanted: string, given: string) => boolean,
): boolean {
  let at = 0;
  let wildcardAt = -1;
  let resumeAt = 0;
  for (let index = 0; index < given.length; ) {
    const one = wanted[at];
    if (one === wildcard) {
      wildcardAt = at++;
      resumeAt = index;
    } else if (one !== undefined && matchesOne(one, given[index] ?? '')) {
      at++;
      index++;
    } else if (wildcardAt >= 0) {
      at = wildcardAt + 1;
      index = ++resumeAt;
    } else {
      return false;
    }
  }
  while (wanted[at] === wildcard) at++;
  return at === wanted.length;
}
