export const KiB = 1024;
export const MiB = 1024 * KiB;
export const GiB = 1024 * MiB;

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kib: KiB,
  mib: MiB,
  gib: GiB,
  tib: 1024 * GiB,
};

/** Reads `4MiB`, `512 KiB` or `1048576` as a count of bytes; `undefined` for anything else. */
export function parseBytes(text: string): number | undefined {
  const match = /^(\d{1,15})\s*([a-zA-Z]*)$/.exec(text.trim());
  const unit = match ? UNITS[(match[2] ?? '').toLowerCase()] : undefined;
  if (!match || unit === undefined) return undefined;
  const bytes = Number(match[1]) * unit;
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** The same for a sentence: `512 bytes` where no unit divides it. */
export function sayBytes(bytes: number): string {
  const printed = printBytes(bytes);
  return /^\d+$/.test(printed) ? `${printed} bytes` : printed;
}

/** Prints a count of bytes in the largest binary unit that divides it, as parseBytes reads it. */
export function printBytes(bytes: number): string {
  for (const [name, unit] of [
    ['GiB', GiB],
    ['MiB', MiB],
    ['KiB', KiB],
  ] as const) {
    if (bytes >= unit && bytes % unit === 0) return `${bytes / unit}${name}`;
  }
  return String(bytes);
}
