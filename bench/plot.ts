import type { RowSet } from './bench.ts';
import { columnsOf, nameOf } from './columns.ts';
import { PEER_IDS } from './peer.ts';
import { median } from './report.ts';
import { type Results, valuesOf } from './results.ts';

const WIDTH = 720;
const LABEL_WIDTH = 170;
const VALUE_WIDTH = 90;
const BAR = 14;
const GAP = 4;
const HEAD = 26;
/** Of colour-blind readers too (after Okabe and Ito). */
const COLOURS = ['#0072b2', '#56b4e9', '#009e73', '#999999', '#e69f00', '#cc79a7', '#d55e00'];

/** The first metric of each row: bars of the medians, a line from the lowest to the highest round. */
export function drawSet(results: Results, set: RowSet): string {
  const parts: string[] = [];
  let y = 8;
  for (const row of set.rows) {
    const [metric] = row.metrics;
    const columns = columnsOf(results, row.id);
    if (!metric || columns.length === 0) continue;
    const all = columns.map((column) => valuesOf(results, row.id, column, metric.id));
    const scale = (WIDTH - LABEL_WIDTH - VALUE_WIDTH) / Math.max(...all.flat(), Number.MIN_VALUE);
    const hint = metric.isLowBetter ? 'less is better' : 'more is better';
    parts.push(text(8, y + 14, `${row.label}: ${metric.label} (${hint})`, 'head'));
    y += HEAD;
    columns.forEach((column, index) => {
      const values = all[index] ?? [];
      const [middle, low, high] = [median(values), Math.min(...values), Math.max(...values)];
      const colour = COLOURS[(PEER_IDS as readonly string[]).indexOf(column)] ?? COLOURS[0];
      const end = LABEL_WIDTH + middle * scale;
      parts.push(
        text(LABEL_WIDTH - 6, y + BAR - 3, nameOf(column).replaceAll('`', ''), 'name'),
        `<rect x="${LABEL_WIDTH}" y="${y}" width="${round(middle * scale)}" height="${BAR}" fill="${colour}"/>`,
        `<path d="M${round(LABEL_WIDTH + low * scale)} ${y + BAR / 2}H${round(LABEL_WIDTH + high * scale)}" stroke="#222"/>`,
        text(
          round(Math.max(end, LABEL_WIDTH + high * scale) + 5),
          y + BAR - 3,
          middle.toFixed(metric.digits),
        ),
      );
      y += BAR + GAP;
    });
    y += 8;
  }
  const style = 'text{font:12px system-ui,sans-serif;fill:#222}.head{font-weight:600}.name{text-anchor:end}';
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${y}" viewBox="0 0 ${WIDTH} ${y}" role="img">`,
    `<title>${escaped(set.title)}</title><style>${style}</style>`,
    `<rect width="${WIDTH}" height="${y}" fill="#fff"/>`,
    ...parts,
    '</svg>\n',
  ].join('\n');
}

function text(x: number, y: number, value: string, style?: string): string {
  return `<text x="${x}" y="${y}"${style ? ` class="${style}"` : ''}>${escaped(value)}</text>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escaped(value: string): string {
  return value.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
