import { once } from 'node:events';

/** Where a command prints; replaced in tests. */
export interface Output {
  /** Results: standard output. */
  line(text: string): void;
  /** Progress and advice: standard error. */
  note(text: string): void;
  /** One line on the terminal that the next one takes the place of; an empty text removes it. Absent: no terminal. */
  progress?(text: string): void;
  /** Resolves when more may be printed; absent where nothing can pile up. */
  drained?(): Promise<void>;
}

export const processOutput: Output = {
  line: (text) => process.stdout.write(`${text}\n`),
  note: (text) => process.stderr.write(`${text}\n`),
  ...(process.stderr.isTTY
    ? { progress: (text: string) => void process.stderr.write(`\r${text}\u001b[K`) }
    : {}),
  drained: async () => {
    if (process.stdout.writableNeedDrain) await once(process.stdout, 'drain');
  },
};

/** Rows under headings, columns aligned; what a terminal could act on is printed as its escape. */
export function table(headings: readonly string[], rows: readonly (readonly unknown[])[]): string {
  const cells = [headings, ...rows].map((row) => row.map(cell));
  const widths = headings.map((_, column) => Math.max(...cells.map((row) => (row[column] ?? '').length)));
  return cells
    .map((row) =>
      row
        .map((text, column) => (column === row.length - 1 ? text : text.padEnd(widths[column] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function cell(value: unknown): string {
  const text = Array.isArray(value) ? value.join(', ') : String(value ?? '');
  return text === '' ? '-' : plainText(text);
}

/** Several lines, each of them safe on a terminal. */
export function plainLines(text: string): string {
  return text.split('\n').map(plainText).join('\n');
}

/** JSON in which nothing is left that a terminal could act on; it still reads as the same value. */
export function plainJson(value: unknown): string {
  return JSON.stringify(value).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) =>
    character
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}

/** Text from outside, safe on a terminal: control, bidirectional and invisible characters as escapes. */
export function plainText(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, (character) => {
    return `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`;
  });
}
