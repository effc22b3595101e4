import type { Digest, ManifestKind } from '../oci/index.ts';

/** In rising order. An unknown word from a scanner ranks as `critical`. */
export const SEVERITIES = ['negligible', 'low', 'medium', 'high', 'critical'] as const;
export type Severity = (typeof SEVERITIES)[number];

export type FindingKind = 'vulnerability' | 'secret' | 'malware' | 'misconfiguration';

/** One thing that a scanner found. Never holds the secret itself. */
export interface Finding {
  readonly kind: FindingKind;
  /** `CVE-2026-1234`, `aws-secret-access-key`, `CIS-DI-4.1`. */
  readonly id: string;
  readonly severity: Severity;
  /** One line for a person. */
  readonly title: string;
  /** Scanner that says so: `inspector`. */
  readonly by: string;
  /** File in the layer, or `config`. */
  readonly location?: string;
  /** The blob it lies in; such a finding counts for every manifest that names the blob. */
  readonly blob?: Digest;
  readonly package?: string;
  readonly installedVersion?: string;
  readonly fixedVersion?: string;
}

/** One finished run of one scanner over one manifest. */
export interface Scan {
  readonly by: string;
  readonly atMs: number;
  readonly version: string;
  /** `unscannable`: the scanner ran and could not read the image; `reason` says why. */
  readonly status: 'done' | 'unscannable';
  readonly reason?: string;
}

/** Everything known about one digest; the same in every repository. */
export interface Facts {
  readonly digest: Digest;
  readonly kind: ManifestKind;
  /** When dockgate first saw the digest. */
  readonly firstSeenAtMs: number;
  /** The image config's `created`; absent when there is none or it cannot be true (year 1, 1970, the future). */
  readonly createdAtMs?: number;
  /** The newest scan of each scanner. */
  readonly scans: readonly Scan[];
  readonly findings: readonly Finding[];
}

export type RuleName =
  | 'scanned'
  | 'age'
  | 'vulnerabilities'
  | 'secrets'
  | 'malware'
  | 'misconfiguration'
  | 'unmatched';

export interface Rules {
  /** Scanners whose scan must exist and be younger than `withinMs`. */
  readonly scanned?: { readonly by: readonly string[]; readonly withinMs: number };
  readonly age?: { readonly maxMs: number };
  readonly vulnerabilities?: { readonly block: Severity; readonly fixableOnly: boolean };
  readonly secrets?: 'block';
  readonly malware?: 'block';
  /** Findings of at least this severity, or with one of these ids. */
  readonly misconfiguration?: { readonly block?: Severity; readonly checks?: readonly string[] };
}

export interface Policy {
  readonly name: string;
  /** Patterns as in grants, with exclusions: `['**', '!lab/**']`. */
  readonly match: readonly string[];
  readonly mode: 'enforce' | 'warn' | 'off';
  /** How long a pull waits for a running scan. */
  readonly holdMs: number;
  readonly rules: Rules;
  /** Whom to ask, printed in refusals. */
  readonly contact?: string;
}

/** A dated exception for one finding on one digest or pattern. */
export interface Waiver {
  readonly id: string;
  readonly finding: string;
  readonly digest?: Digest;
  readonly pattern?: string;
  readonly reason: string;
  readonly author: string;
  /** Half-open: at this millisecond it no longer holds. */
  readonly endsAtMs: number;
}

/** Why a rule does not admit a digest. */
export interface Reason {
  readonly rule: RuleName;
  readonly policy: string;
  /** One clause for a person: `last scanned 9d ago, at most 7d allowed`. */
  readonly text: string;
  /** The findings behind it, worst first. */
  readonly findings: readonly Finding[];
}

export interface Verdict {
  readonly digest: Digest;
  /**
   * `unscanned`: nothing speaks against it but a scan that is missing or too old; the caller may wait for one.
   * It admits as little as `block`.
   */
  readonly outcome: 'allow' | 'block' | 'unscanned';
  /** Of policies in mode enforce. */
  readonly reasons: readonly Reason[];
  /** Of policies in mode warn. */
  readonly warnings: readonly Reason[];
  /** When time alone (age, scan age, the end of a waiver) could change it; Infinity is written as MAX_SAFE_INTEGER. */
  readonly validUntilMs: number;
  /** Longest hold of the policies that match. */
  readonly holdMs: number;
  readonly contact?: string;
}
