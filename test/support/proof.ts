/** What the tests of a guard said while it was switched off. */
export interface GuardRun {
  readonly passed: number;
  /** A test said what was wrong. */
  readonly failed: number;
  /** Titles of tests and hooks that did not end in time. */
  readonly timedOut: readonly string[];
  /** The run as a whole did not end in time and was stopped. */
  readonly isStopped: boolean;
}

/**
 * Why a run proves nothing; `undefined`: it proves the guard. Whatever takes too long may be the machine's fault as
 * well as the missing guard's, so it is no proof.
 */
export function whyUnproved({ passed, failed, timedOut, isStopped }: GuardRun): string | undefined {
  if (failed > 0) return undefined;
  const [first] = timedOut;
  if (first !== undefined) return `not proved: timed out: ${first}`;
  if (isStopped) return 'not proved: timed out: its tests did not come to an end';
  return passed > 0 ? `all ${passed} tests passed without it` : 'its tests did not run at all';
}

/** Why a test that ran by itself with its guard in place says nothing about it; `undefined`: it passed. */
export function whyNoControl({ passed, failed, timedOut, isStopped }: GuardRun): string | undefined {
  if (failed > 0) return 'not proved: its test fails by itself also with it';
  if (timedOut.length > 0 || isStopped) return 'not proved: its test takes too long by itself also with it';
  return passed > 0 ? undefined : 'no test has the title that it names';
}

/** One line of mocha's json-stream, as far as it matters here. */
export type TestEvent =
  | { readonly kind: 'passed' | 'failed' }
  | { readonly kind: 'timed-out'; readonly title: string };

/** @returns `undefined` for what is no end of a test. */
export function readTestEvent(line: string): TestEvent | undefined {
  if (line.startsWith('["pass",')) return { kind: 'passed' };
  if (!line.startsWith('["fail",')) return undefined;
  // Not parsed: readline also ends a line at U+2028, which what a test prints may hold.
  if (!/"err":"Timeout of \d+ms exceeded\. For async tests and hooks,/.test(line)) return { kind: 'failed' };
  const title = /"fullTitle":"((?:[^"\\]|\\.)*)"/.exec(line)?.[1] ?? '';
  return { kind: 'timed-out', title: title.replaceAll('\\"', '"') };
}
