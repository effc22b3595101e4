/**
 * The lines of two texts beside each other: what only the older has with `-`, what only the newer has with `+`, the
 * rest with a space. Nothing when they are equal. By their longest common subsequence; policies are short.
 */
export function diffLines(older: readonly string[], newer: readonly string[]): readonly string[] {
  if (older.join('\n') === newer.join('\n')) return [];
  const common = commonLengths(older, newer);
  const lines: string[] = [];
  let [left, right] = [0, 0];
  while (left < older.length || right < newer.length) {
    const isCommon = left < older.length && right < newer.length && older[left] === newer[right];
    if (isCommon) {
      lines.push(` ${older[left]}`);
      left += 1;
      right += 1;
    } else if (
      left < older.length &&
      lengthAt(common, left + 1, right) >= lengthAt(common, left, right + 1)
    ) {
      lines.push(`-${older[left]}`);
      left += 1;
    } else {
      lines.push(`+${newer[right]}`);
      right += 1;
    }
  }
  return lines;
}

type Lengths = readonly (readonly number[])[];

/** At [left][right]: how many lines the rests from there on have in common. */
function commonLengths(older: readonly string[], newer: readonly string[]): Lengths {
  const lengths = Array.from({ length: older.length + 1 }, () => new Array<number>(newer.length + 1).fill(0));
  for (let left = older.length - 1; left >= 0; left--) {
    const row = lengths[left] ?? [];
    for (let right = newer.length - 1; right >= 0; right--) {
      row[right] =
        older[left] === newer[right]
          ? lengthAt(lengths, left + 1, right + 1) + 1
          : Math.max(lengthAt(lengths, left + 1, right), lengthAt(lengths, left, right + 1));
    }
  }
  return lengths;
}

/** Past the end of `newer` nothing is common: whatever is left of `older` then goes first. */
function lengthAt(lengths: Lengths, left: number, right: number): number {
  return lengths[left]?.[right] ?? -1;
}
