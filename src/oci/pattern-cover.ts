import type { Pattern } from './pattern.ts';

/** What of all names is given: what one of `allow` matches and none of `deny`. */
export interface Cover {
  readonly allow: readonly Pattern[];
  readonly deny: readonly Pattern[];
}

export type CoverResult =
  | { readonly isCovered: true }
  /** A name of the pattern that is not given; absent where the patterns are too tangled to compare. */
  | { readonly isCovered: false; readonly witness?: string };

/** Steps from one letter to the next, for all globs together: some tens of milliseconds. */
const STEPS_MAX = 200_000;

/**
 * Whether every name that the pattern matches is given by the cover. The answer is about the sets of names, not
 * about how they are written: `team/a*` lies in `team/*`, and `team/**` in neither `team/*` nor `team/a,team/b`.
 * Both sides are walked letter by letter as finite automata; what cannot be compared within a fixed number of steps
 * counts as not covered.
 */
export function findUncovered(pattern: Pattern, cover: Cover): CoverResult {
  const walkers = [
    ...walkersOf([pattern], 'wanted'),
    ...walkersOf(cover.allow, 'allow'),
    ...cover.deny.flatMap((one, index) => walkersOf([one], `deny ${index}`)),
  ];
  const letters = lettersOf(walkers);
  const start: State = { at: walkers.map(({ tokens }) => closure(tokens, [0])), hasLetter: false, name: '' };
  const seen = new Set([keyOf(start)]);
  const queue = [start];
  let steps = 0;
  for (const state of queue) {
    if (state.hasLetter && isWitness(walkers, state)) return { isCovered: false, witness: state.name };
    for (const letter of state.hasLetter ? [...letters, '/'] : letters) {
      steps += walkers.length;
      if (steps > STEPS_MAX) return { isCovered: false };
      const next = advance(walkers, state, letter);
      // Once nothing of the pattern goes on, no name that begins so is one of its names.
      if (!walkers.some(({ side, isExcluded }, i) => side === 'wanted' && !isExcluded && next.at[i]?.length))
        continue;
      const key = keyOf(next);
      if (seen.has(key)) continue;
      seen.add(key);
      queue.push(next);
    }
  }
  return { isCovered: true };
}

/** `*` and `**` followed by its slash, else one letter. */
type Token = '*' | '**' | string;

interface Walker {
  readonly tokens: readonly Token[];
  readonly isExcluded: boolean;
  /** Which pattern it belongs to: `wanted`, `allow 0` ... */
  readonly side: string;
}

interface State {
  /** For each walker the places where it may be: `2 p` before token p, `2 p + 1` inside a segment that `**` takes. */
  readonly at: readonly (readonly number[])[];
  /** Whether the segment has begun: none is empty. */
  readonly hasLetter: boolean;
  readonly name: string;
}

function walkersOf(patterns: readonly Pattern[], side: string): readonly Walker[] {
  return patterns.flatMap((pattern, index) => {
    const name = side === 'allow' ? `${side} ${index}` : side;
    return [
      ...pattern.includes.map((glob) => ({
        tokens: tokensOf(glob.segments),
        isExcluded: false,
        side: name,
      })),
      ...pattern.excludes.map((glob) => ({
        tokens: tokensOf(glob.segments),
        isExcluded: true,
        side: name,
      })),
    ];
  });
}

function tokensOf(segments: readonly string[]): readonly Token[] {
  return segments.flatMap((segment, index) => {
    if (segment === '**') return ['**'];
    return index === segments.length - 1 ? [...segment] : [...segment, '/'];
  });
}

/** Every letter that some glob names, and one that stands for all others. */
function lettersOf(walkers: readonly Walker[]): readonly string[] {
  const named = new Set(
    walkers.flatMap(({ tokens }) => tokens).filter((token) => /^[a-z0-9._-]$/.test(token)),
  );
  const other = [...'xyzabcdefghijklmnopqrstuvw0123456789._-'].find((letter) => !named.has(letter));
  return other === undefined ? [...named] : [other, ...named];
}

/** Where one can be without another letter: a wildcard may take nothing. */
function closure(tokens: readonly Token[], places: readonly number[]): readonly number[] {
  const all = new Set(places);
  for (const place of all) {
    const token = place % 2 === 0 ? tokens[place / 2] : undefined;
    if (token === '*' || token === '**') all.add(place + 2);
  }
  return [...all].toSorted((a, b) => a - b);
}

function advance(walkers: readonly Walker[], state: State, letter: string): State {
  const at = walkers.map(({ tokens }, index) => {
    const places = (state.at[index] ?? []).flatMap((place) => step(tokens, place, letter));
    return places.length === 0 ? [] : closure(tokens, places);
  });
  return { at, hasLetter: letter !== '/', name: state.name + letter };
}

function step(tokens: readonly Token[], place: number, letter: string): readonly number[] {
  const isInside = place % 2 === 1;
  const before = isInside ? place - 1 : place;
  const token = tokens[before / 2];
  if (token === '**') {
    if (letter === '/') return isInside ? [before] : [];
    return [before + 1];
  }
  if (token === '*') return letter === '/' ? [] : [place];
  return token === letter ? [place + 2] : [];
}

/** Whether the name so far is one of the pattern and not given. */
function isWitness(walkers: readonly Walker[], state: State): boolean {
  const matched = new Map<string, boolean>();
  for (const isExcluded of [false, true]) {
    for (const [index, walker] of walkers.entries()) {
      if (walker.isExcluded !== isExcluded) continue;
      if (!state.at[index]?.includes(walker.tokens.length * 2)) continue;
      matched.set(walker.side, !isExcluded);
    }
  }
  const is = (word: string) => [...matched].some(([side, isMatched]) => isMatched && side.startsWith(word));
  return is('wanted') && (is('deny') || !is('allow'));
}

function keyOf({ at, hasLetter }: State): string {
  return `${hasLetter}|${at.map((places) => places.join()).join('|')}`;
}
