import { printDuration } from '../base/index.ts';
import { against, type Case, CONTENT, dayOf, merge, NEVER_MS, type Opinion } from './opinion.ts';
import type { Rules, Scan } from './types.ts';

/** Stands for "whichever scanner runs here" where a policy has rules but names no scanner. */
const ANY_SCANNER = '*';

/**
 * A policy with rules but without `scanned` still needs one scan: without it there would be no findings to look at
 * and no date to trust, and everything would pass.
 */
export function judgeScans(rules: Rules, one: Case): Opinion {
  const scans = one.facts?.scans ?? [];
  if (rules.scanned) {
    const { by, withinMs } = rules.scanned;
    const scanOf = (name: string) => scans.find((scan) => scan.by === name);
    return merge(by.map((name) => judgeScan(name, scanOf(name), withinMs, one.nowMs)));
  }
  if (Object.values(rules).every((rule) => rule === undefined)) return CONTENT;
  // What somebody pushed counts only for a policy that names it: anybody with `scan` could push an empty report.
  const own = scans.filter(({ author }) => author === undefined);
  if (own.length === 0) return judgeScan(ANY_SCANNER, undefined, NEVER_MS, one.nowMs);
  return merge(own.map((scan) => judgeScan(scan.by, scan, NEVER_MS, one.nowMs)));
}

function judgeScan(by: string, scan: Scan | undefined, withinMs: number, nowMs: number): Opinion {
  if (!scan) return missing(by, by === ANY_SCANNER ? 'not scanned yet' : `not scanned yet by ${by}`);
  if (scan.status !== 'done') {
    return against('scanned', `${by} could not scan it: ${scan.reason ?? 'no reason given'}`);
  }
  const endsAtMs = Math.min(scan.atMs + withinMs, NEVER_MS);
  if (nowMs < endsAtMs) return { ...CONTENT, changesAtMs: endsAtMs };
  return missing(by, `last scanned by ${by} on ${dayOf(scan.atMs)}, not within ${printDuration(withinMs)}`);
}

function missing(by: string, text: string): Opinion {
  const reason = { rule: 'scanned', text, findings: [], needsScan: true } as const;
  return { reasons: [reason], changesAtMs: NEVER_MS, missing: [by] };
}
