import * as z from 'zod';
import { MiB } from '../../base/index.ts';
import type { Digest } from '../../oci/index.ts';
import type { Package } from '../../policy/index.ts';
import type { PushedReport, ReadReport } from '../../verdicts/index.ts';
import { FindingList } from '../finding-list.ts';
import { readCycloneDx } from './cyclonedx.ts';
import { readGrype } from './grype.ts';
import { type Content, digestsIn, short } from './report.ts';
import { readSarif } from './sarif.ts';
import { readSpdx } from './spdx.ts';
import { readTrivy } from './trivy.ts';

type Format = PushedReport['format'];

const READERS: Readonly<Record<Format, (json: unknown, by: string) => Content>> = {
  trivy: readTrivy,
  grype: readGrype,
  sarif: readSarif,
  cyclonedx: readCycloneDx,
  spdx: readSpdx,
};

const BYTES_MAX = 16 * MiB;
const DEPTH_MAX = 64;
const FINDINGS_MAX = 2000;
/** As JSON: what goes to the process that writes must fit into one message. */
const PACKAGES_LENGTH_MAX = 4 * MiB;

/**
 * Reads a report that somebody pushed, whatever of the five formats it is in. What it says is bounded: bytes, nesting,
 * findings (of more the worst are kept, and one finding says so), packages, the length of each text.
 */
export const readReport: ReadReport = (text) => {
  const parsed = parseBounded(text, BYTES_MAX);
  if ('problem' in parsed) return no(parsed.problem);
  const format = formatOf(parsed.json);
  if (!format) return no('is neither Trivy, Grype, SARIF 2.1.0, CycloneDX nor SPDX 2 JSON');
  return readAs(format, parsed.json, `ci-${format}`);
};

/** The same of a program that we ran ourselves. */
export function readScan(
  format: Format,
  text: string,
  { by, bytesMax }: { readonly by: string; readonly bytesMax: number },
): ReturnType<ReadReport> {
  const parsed = parseBounded(text, bytesMax);
  return 'problem' in parsed ? no(parsed.problem) : readAs(format, parsed.json, by);
}

function parseBounded(
  text: string,
  bytesMax: number,
): { readonly json: unknown } | { readonly problem: string } {
  if (Buffer.byteLength(text) > bytesMax) return { problem: `is larger than ${bytesMax / MiB} MiB` };
  if (isDeeper(text, DEPTH_MAX)) return { problem: `is nested deeper than ${DEPTH_MAX}` };
  try {
    return { json: JSON.parse(text) };
  } catch {
    return { problem: 'is no JSON' };
  }
}

function readAs(format: Format, json: unknown, by: string): ReturnType<ReadReport> {
  try {
    return keep(format, by, READERS[format](json, by));
  } catch (error) {
    if (!(error instanceof z.ZodError)) throw error;
    const issue = error.issues[0];
    return no(`is no ${format} report: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'malformed'}`);
  }
}

function no(problem: string): ReturnType<ReadReport> {
  return { ok: false, problem: `the report ${problem}` };
}

/** By the member that only this format has. */
function formatOf(json: unknown): Format | undefined {
  if (typeof json !== 'object' || json === null) return undefined;
  if ('bomFormat' in json) return 'cyclonedx';
  if ('spdxVersion' in json) return 'spdx';
  if ('SchemaVersion' in json && 'ArtifactType' in json) return 'trivy';
  if ('matches' in json && 'descriptor' in json) return 'grype';
  return 'runs' in json ? 'sarif' : undefined;
}

/** Counts brackets outside of texts, before anything is built from them. */
function isDeeper(text: string, depthMax: number): boolean {
  let depth = 0;
  let isInText = false;
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charCodeAt(at);
    if (isInText) {
      if (character === 0x5c) at += 1;
      else if (character === 0x22) isInText = false;
    } else if (character === 0x22) isInText = true;
    else if (character === 0x7b || character === 0x5b) {
      depth += 1;
      if (depth > depthMax) return true;
    } else if (character === 0x7d || character === 0x5d) depth -= 1;
  }
  return false;
}

function keep(format: Format, by: string, content: Content): ReturnType<ReadReport> {
  const packages = content.packages && distinct(content.packages);
  if (packages && JSON.stringify(packages).length > PACKAGES_LENGTH_MAX) return no('lists too many packages');
  const findings = new FindingList(FINDINGS_MAX);
  for (const one of content.findings) findings.add(one);
  const madeAtMs = Date.parse(content.madeAt ?? '');
  const subjects: readonly Digest[] = [...new Set(digestsIn(content.subjects))];
  return {
    ok: true,
    report: {
      ...{ format, by, subjects, tool: short(content.tool), findings: findings.toReport(by) },
      ...(Number.isNaN(madeAtMs) ? {} : { madeAtMs }),
      ...(packages ? { packages } : {}),
      ...(content.unscannable === undefined ? {} : { unscannable: content.unscannable }),
    },
  };
}

function distinct(packages: readonly Package[]): readonly Package[] {
  return [...new Map(packages.map((one) => [JSON.stringify(one), one])).values()];
}
