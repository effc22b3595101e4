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
  /** CVSS base score, 0 to 10; the newest version of the standard that the scanner reports. */
  readonly cvss?: number;
  /** When the vulnerability became public. */
  readonly publishedAtMs?: number;
  /** EPSS: the probability, 0 to 1, that it is exploited within 30 days. */
  readonly epss?: number;
  /** EPSS: the part, 0 to 1, of all vulnerabilities that are at most as probable. */
  readonly epssPercentile?: number;
  /** Listed in CISA's catalog of known exploited vulnerabilities (KEV). */
  readonly isExploited?: true;
  /** When it was put into the catalog. */
  readonly exploitedSinceMs?: number;
  /** When the catalog's due date is over. */
  readonly dueAtMs?: number;
}

/** Lists about vulnerabilities that are loaded from elsewhere: FIRST's scores, CISA's catalog. */
export const FEED_NAMES = ['epss', 'kev'] as const;
export type FeedName = (typeof FEED_NAMES)[number];

/** What is loaded of a feed. */
export interface FeedState {
  /** Another one, another content. */
  readonly revision: string;
  /** The instant of which it is known to be true. */
  readonly asOfMs: number;
}

/** Absent: nothing of it is loaded. */
export type Feeds = { readonly [Name in FeedName]?: FeedState };

/** One entry of an image's software bill of materials (SBOM). */
export interface Package {
  readonly name: string;
  readonly version: string;
  /** SPDX identifiers or expressions, as the SBOM states them. */
  readonly licenses: readonly string[];
}

/** A signature or signed statement over exactly this digest, or over an index that names it, that was verified. */
export interface Attested {
  /** Name of the key or identity of the configuration under `trust`. */
  readonly by: string;
  /** in-toto predicate type; absent: a plain signature. */
  readonly predicateType?: string;
  /** SLSA provenance: who built it, and from which source repository. */
  readonly builder?: string;
  readonly source?: string;
  /** Half-open: at this millisecond the key is no longer trusted, and what it signed counts no more. */
  readonly untilMs?: number;
  /** Of a certificate: whom it names, who says so, and when it was signed. For people to read. */
  readonly who?: string;
  readonly issuer?: string;
  readonly atMs?: number;
}

/** One finished run of one scanner over one manifest. */
export interface Scan {
  readonly by: string;
  readonly atMs: number;
  readonly version: string;
  /** `unscannable`: the scanner ran and could not read the image; `reason` says why. */
  readonly status: 'done' | 'unscannable';
  readonly reason?: string;
  /** Who pushed the result; absent: a scanner of ours. */
  readonly author?: string;
}

/** Everything known about one digest; the same in every repository. */
export interface Facts {
  readonly digest: Digest;
  readonly kind: ManifestKind;
  /** When dockgate first saw the digest. */
  readonly firstSeenAtMs: number;
  /** The image config's `created`; absent when there is none or it cannot be true (year 1, 1970, the future). */
  readonly createdAtMs?: number;
  /** When the oldest layer was made, which is the base image's; absent when the config's history does not say. */
  readonly baseCreatedAtMs?: number;
  /** Since when no tag of the repository leads to it any more although one did; absent: one does, or none ever did. */
  readonly supersededAtMs?: number;
  /** Bytes of manifest, config and layers together, as the manifest states them. */
  readonly sizeBytes?: number;
  readonly layerCount?: number;
  /** Of the manifest, its config and its layers; each once. */
  readonly mediaTypes?: readonly string[];
  /** What a referrers answer prints as the type of an artifact. */
  readonly artifactType?: string;
  /** Why an admin denied the digest, or a blob that it names. */
  readonly denied?: string;
  /** The SBOM; absent when there is none. Looked up only for policies that have a rule about packages. */
  readonly packages?: readonly Package[];
  /** Verified signatures and attestations. Looked up only for policies that have a rule about them. */
  readonly attested?: readonly Attested[];
  /** One clause for each signature that was found and counts for nothing: `a signature by no trusted key`. */
  readonly rejected?: readonly string[];
  /** The newest scan of each scanner. */
  readonly scans: readonly Scan[];
  readonly findings: readonly Finding[];
  /** The feeds whose words the findings hold. Looked up only for policies that have a rule about them. */
  readonly feeds?: Feeds;
}

/** In the order in which a person should hear of them. */
export const RULE_NAMES = [
  'denied',
  'unmatched',
  'immutableTags',
  'malware',
  'secrets',
  'vulnerabilities',
  'misconfiguration',
  'signatures',
  'attestations',
  'packages',
  'licenses',
  'artifacts',
  'mediaTypes',
  'registries',
  'size',
  'superseded',
  'baseAge',
  'age',
  'scanned',
] as const;
export type RuleName = (typeof RULE_NAMES)[number];

/** Which vulnerabilities count. Any one of `block`, `cvss`, `epss`, `epssPercentile` and `exploited` is enough. */
export interface VulnerabilityRule {
  /** From this severity up. */
  readonly block?: Severity;
  /** From this CVSS base score up. */
  readonly cvss?: number;
  /** From this EPSS probability up. */
  readonly epss?: number;
  /** From this EPSS percentile up, 0 to 1. */
  readonly epssPercentile?: number;
  /** What is known to be exploited (KEV); counts at once, or from its due date on, fixable or not. */
  readonly exploited?: true | 'past-due';
  /** How old the feeds behind `epss`, `epssPercentile` and `exploited` may be. */
  readonly feedWithinMs?: number;
  /** Only those for which a fixed version exists. */
  readonly fixableOnly: boolean;
  /** How long after its publication a vulnerability does not count yet. One of unknown date counts at once. */
  readonly graceMs?: number;
}

export interface AttestationRule {
  /** in-toto predicate type: `https://slsa.dev/provenance/v1`. */
  readonly type: string;
  /** Names of trusted keys or identities; one of them is enough. */
  readonly by: readonly string[];
  /** SLSA provenance: patterns, one of which the builder or the source repository must fit. */
  readonly builder?: readonly string[];
  readonly source?: readonly string[];
}

/** What is refused when it is pulled. */
export interface Rules {
  /** Scanners whose scan must exist and be younger than `withinMs`. */
  readonly scanned?: { readonly by: readonly string[]; readonly withinMs: number };
  readonly age?: { readonly maxMs: number };
  readonly baseAge?: { readonly maxMs: number };
  readonly superseded?: { readonly maxMs: number };
  readonly vulnerabilities?: VulnerabilityRule;
  readonly secrets?: 'block';
  readonly malware?: 'block';
  /** Findings of at least this severity, or with one of these ids. */
  readonly misconfiguration?: { readonly block?: Severity; readonly checks?: readonly string[] };
  /** Names of trusted keys or identities; one of them is enough. */
  readonly signatures?: { readonly by: readonly string[] };
  /** Each must be there. */
  readonly attestations?: readonly AttestationRule[];
  /** Patterns with `*` of SPDX license identifiers. */
  readonly licenses?: { readonly deny: readonly string[] };
  /** Patterns with `*` of `name` or `name@version`. */
  readonly packages?: { readonly deny: readonly string[] };
  /** Artifact types that may be pulled, as patterns with `*`; `block`: none. */
  readonly artifacts?: 'block' | { readonly allow: readonly string[] };
  /** Patterns with `*`: what is denied, and, when `allow` is there, whatever it does not name. */
  readonly mediaTypes?: { readonly allow?: readonly string[]; readonly deny?: readonly string[] };
  readonly size?: { readonly maxBytes?: number; readonly maxLayers?: number };
  /** Patterns with `*` of registries, as `host:port` of an upstream or `embedded`, from which it may come. */
  readonly registries?: { readonly allow: readonly string[] };
}

/** What is refused when it is pushed. */
export interface PushRules extends Pick<Rules, 'artifacts' | 'mediaTypes' | 'size'> {
  /** Patterns with `*` of tags that never change once they exist. */
  readonly immutableTags?: readonly string[];
}

export interface Policy {
  readonly name: string;
  /** Patterns as in grants, with exclusions: `['**', '!lab/**']`. */
  readonly match: readonly string[];
  readonly mode: 'enforce' | 'warn' | 'off';
  /** How long a pull waits for a running scan. */
  readonly holdMs: number;
  readonly rules: Rules;
  readonly push?: PushRules;
  /** A waiver counts for this policy only when somebody else than its author approved it. */
  readonly waivers?: 'approved';
  /** Whom to ask, printed in refusals. */
  readonly contact?: string;
}

/** A dated exception for one finding or one rule, on one digest or pattern. */
export interface Waiver {
  readonly id: string;
  /** Id of the finding; absent when it is for a rule. */
  readonly finding?: string;
  readonly rule?: RuleName;
  /** `name` or `name@version`: the finding only where it is in this package. */
  readonly package?: string;
  readonly digest?: Digest;
  readonly pattern?: string;
  readonly reason: string;
  /** Where the decision was discussed. */
  readonly ticket?: string;
  readonly author: string;
  readonly approvedBy?: string;
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
