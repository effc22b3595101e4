import { type Finding, SEVERITIES } from '../policy/index.ts';

const TITLE_LENGTH_MAX = 300;
const LOCATION_LENGTH_MAX = 500;

/**
 * Collects findings, each once, and keeps the worst `countMax`. Their order depends on what was found only, so two
 * scans of one image give the same report.
 */
export class FindingList {
  readonly #countMax: number;
  readonly #byKey = new Map<string, Finding>();
  #droppedCount = 0;

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  add(finding: Finding): void {
    const shown = toPrintable(finding);
    // Of one kind in one file the first is enough; in the config each has its own place, which the title names.
    const place = shown.location === 'config' ? shown.title : '';
    const { kind, id, blob, package: name, installedVersion } = finding;
    const key = [kind, id, blob, shown.location, place, name, installedVersion].join('\0');
    if (this.#byKey.has(key)) return;
    this.#byKey.set(key, shown);
    if (this.#byKey.size >= 2 * this.#countMax) this.#trim();
  }

  /** Counts findings that another list dropped. */
  addDropped(count: number): void {
    this.#droppedCount += count;
  }

  get droppedCount(): number {
    this.#trim();
    return this.#droppedCount;
  }

  /** Worst first. */
  toArray(): readonly Finding[] {
    this.#trim();
    return [...this.#byKey.values()].toSorted(compare);
  }

  /** The same, and where some were dropped, one that says so. @param by the scanner whose report it is. */
  toReport(by: string): readonly Finding[] {
    const { droppedCount } = this;
    return [...this.toArray(), ...(droppedCount > 0 ? [truncationMarker(droppedCount, by)] : [])];
  }

  #trim(): void {
    if (this.#byKey.size <= this.#countMax) return;
    const sorted = [...this.#byKey].toSorted(([, a], [, b]) => compare(a, b));
    this.#droppedCount += sorted.length - this.#countMax;
    this.#byKey.clear();
    for (const [key, finding] of sorted.slice(0, this.#countMax)) this.#byKey.set(key, finding);
  }
}

/** Says that the report is not complete, so that nobody takes what is listed for all there is. */
function truncationMarker(droppedCount: number, by: string): Finding {
  return {
    kind: 'misconfiguration',
    id: 'findings-truncated',
    severity: 'low',
    title: `${droppedCount} more findings are not listed, none of them worse than those that are`,
    by,
  };
}

function compare(a: Finding, b: Finding): number {
  return (
    SEVERITIES.indexOf(b.severity) - SEVERITIES.indexOf(a.severity) ||
    compareText(b.kind, a.kind) ||
    compareText(a.id, b.id) ||
    compareText(a.location ?? '', b.location ?? '') ||
    compareText(a.blob ?? '', b.blob ?? '') ||
    compareText(a.title, b.title)
  );
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** File names come from the image: control characters in them must not reach a terminal. */
function toPrintable(finding: Finding): Finding {
  const { location, ...rest } = finding;
  return {
    ...rest,
    title: printable(finding.title, TITLE_LENGTH_MAX),
    ...(location === undefined ? {} : { location: printable(location, LOCATION_LENGTH_MAX) }),
  };
}

/** Without what a terminal would take for a command, and not longer than that. */
export function printable(text: string, lengthMax: number): string {
  const plain = text.replace(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu, '?');
  return plain.length <= lengthMax ? plain : `${plain.slice(0, lengthMax - 3)}...`;
}
