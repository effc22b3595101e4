/** The cells of one line of CSV (RFC 4180) in which every cell is quoted. @throws {Error} it is another one. */
export function parseCsvLine(line: string): readonly string[] {
  if (!/^"(?:[^"]|"")*"(?:,"(?:[^"]|"")*")*$/.test(line)) throw new Error(`no line of CSV: ${line}`);
  return [...line.matchAll(/(?:^|,)"((?:[^"]|"")*)"/g)].map(([, cell = '']) => cell.replaceAll('""', '"'));
}
