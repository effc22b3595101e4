import { type Digest, parseDigest } from '../../oci/index.ts';
import { type Finding, type Package, SEVERITIES, type Severity } from '../../policy/index.ts';
import { printable } from '../finding-list.ts';

/** What one parser read out of a report. */
export interface Content {
  /** Program and version that made it. */
  readonly tool: string;
  /** Texts in which the report names the image it is about: by the digest of the manifest or of the config. */
  readonly subjects: readonly (string | undefined)[];
  /** When it was made, as it says itself. */
  readonly madeAt?: string | undefined;
  readonly findings: readonly Finding[];
  /** Absent: the report does not list what is inside. */
  readonly packages?: readonly Package[];
  /** The tool says, or shows, that it could not look into the image. */
  readonly unscannable?: string;
}

const TEXT_LENGTH_MAX = 300;
const LICENSE_COUNT_MAX = 32;

/** A text of a report as it is kept: without control characters, not longer than a line. */
export function short(text: string): string {
  return printable(text, TEXT_LENGTH_MAX);
}

/** Lower case; a word that nobody knows ranks as the worst. */
export function toSeverity(word: string | undefined): Severity {
  const lower = word?.toLowerCase();
  if (lower === 'none' || lower === 'info' || lower === 'informational') return 'negligible';
  return SEVERITIES.find((severity) => severity === lower) ?? 'critical';
}

/** @see CVSS 3.1, chapter 5: qualitative severity rating scale */
export function severityOfScore(score: number): Severity {
  if (score >= 9) return 'critical';
  if (score >= 7) return 'high';
  if (score >= 4) return 'medium';
  return score > 0 ? 'low' : 'negligible';
}

export function toPackage(
  name: string,
  version: string | undefined,
  licenses: readonly (string | undefined)[] = [],
): Package {
  const stated = licenses.filter(
    (license): license is string => !!license && license !== 'NOASSERTION' && license !== 'NONE',
  );
  return {
    name: short(name),
    version: short(version ?? ''),
    licenses: [...new Set(stated.map(short))].slice(0, LICENSE_COUNT_MAX),
  };
}

/** The finding without what the report leaves open. */
export function finding(
  given: Pick<Finding, 'kind' | 'id' | 'severity' | 'title' | 'by'> & {
    readonly [Key in 'location' | 'package' | 'installedVersion' | 'fixedVersion']?: string | undefined;
  } & {
    readonly cvss?: number | undefined;
    readonly epss?: number | undefined;
    readonly publishedAt?: string | undefined;
    readonly isExploited?: boolean | undefined;
  },
): Finding {
  const { cvss, epss, publishedAt, isExploited, ...texts } = given;
  const kept = Object.entries(texts).filter(([, text]) => text !== undefined && text !== '');
  const publishedAtMs = Date.parse(publishedAt ?? '');
  return {
    kind: given.kind,
    severity: given.severity,
    ...(Object.fromEntries(kept.map(([key, text]) => [key, short(String(text))])) as {
      readonly id: string;
      readonly title: string;
      readonly by: string;
    }),
    ...(cvss !== undefined && cvss >= 0 && cvss <= 10 ? { cvss } : {}),
    ...(epss !== undefined && epss >= 0 && epss <= 1 ? { epss } : {}),
    ...(Number.isNaN(publishedAtMs) ? {} : { publishedAtMs }),
    ...(isExploited ? { isExploited: true as const } : {}),
  };
}

/** The digests in the texts, also where a package URL writes the colon as %3A. */
export function digestsIn(texts: readonly (string | undefined)[]): readonly Digest[] {
  const found = texts.flatMap(
    (text) => (text ?? '').match(/sha256(?::|%3[Aa])[a-f0-9]{64}(?![a-f0-9])/g) ?? [],
  );
  return found.flatMap((text) => parseDigest(text.replace(/%3a/i, ':')) ?? []);
}
