import type { Severity } from '../../policy/index.ts';

/** The file (or the piece of configuration) that a text comes from. */
export interface TextOrigin {
  /** Absolute path in the layer, or a word for what is no file: `config`. */
  readonly path: string;
  /** Has a NUL byte early on: only tokens of unmistakable shape count there. */
  readonly isBinary: boolean;
}

/** Where in a text a secret stands, and what may be said of it in public. */
export interface SecretMatch {
  readonly start: number;
  readonly end: number;
  /** The public part of it: a fixed prefix, a key's type. Never a part that is secret. */
  readonly hint: string;
}

/** One kind of secret. */
export interface SecretRule {
  /** Stable, kebab-case: `aws-secret-access-key`. Policies and waivers name it. */
  readonly id: string;
  readonly severity: Severity;
  /** What it is, as the beginning of a sentence: `AWS secret access key`. */
  readonly title: string;
  /**
   * Fixed texts of which one stands in or near every match; no keyword of any rule contains another.
   * None: the rule reads the whole text, so `appliesTo` must keep it to few files.
   */
  readonly keywords: readonly string[];
  /** How far from a keyword a match may reach, in characters. */
  readonly reach: { readonly before: number; readonly after: number };
  readonly appliesTo?: (origin: TextOrigin) => boolean;
  /** Finds matches in a window of the text. Every character is one byte (latin1). */
  readonly find: (window: string, origin: TextOrigin) => Iterable<SecretMatch>;
}
