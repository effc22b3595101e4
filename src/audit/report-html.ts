import { safeText } from './print.ts';
import type { Report, ReportRow } from './report.ts';

/** Bars of one chart: more are no picture. */
const BARS_MAX = 20;
/** Rows of the table in a page; CSV has all. */
const ROWS_MAX = 5000;
const BAR_HEIGHT = 20;
const LABEL_WIDTH = 280;
const BAR_WIDTH = 300;
const CHART_WIDTH = LABEL_WIDTH + BAR_WIDTH + 80;
const LABEL_CHARACTERS = 44;

export interface ReportPage {
  readonly title: string;
  /** What was asked for, in words. */
  readonly question: string;
  readonly madeAt: string;
  readonly footer: string;
}

const STYLE = `
@page { size: A4; margin: 16mm }
body { font: 10pt/1.4 system-ui, sans-serif; color: #1a1a1a; background: #fff; max-width: 180mm; margin: 12mm auto }
h1 { font-size: 16pt; margin: 0 0 1mm } p { margin: 0 0 3mm; color: #444 }
svg { width: 100%; height: auto; margin: 2mm 0 5mm; break-inside: avoid } svg text { font: 11px system-ui, sans-serif; fill: #1a1a1a }
svg rect { fill: #2b6cb0 }
table { border-collapse: collapse; width: 100%; font-size: 8.5pt } thead { display: table-header-group }
th, td { text-align: left; vertical-align: top; padding: 1mm 2mm; border-bottom: 0.2mm solid #ccc; overflow-wrap: anywhere }
th { border-bottom: 0.4mm solid #444; overflow-wrap: normal } td.number, th.number { text-align: right; white-space: nowrap }
td.time { white-space: nowrap; font-size: 7.5pt } tr { break-inside: avoid } footer { margin-top: 5mm; font-size: 8pt; color: #666 }
`;

/**
 * A report as one page that needs nothing else: charts are SVG in it, there is no script, and its policy lets none
 * run. Everything that came from a caller is printable ASCII, and escaped (A-03).
 */
export function reportHtml(report: Report, page: ReportPage): string {
  const { rows } = report;
  const cut = rows.length > ROWS_MAX ? `<p>${rows.length - ROWS_MAX} more rows are in the CSV.</p>` : '';
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>${escaped(page.title)}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>${escaped(page.title)}</h1>
<p>${escaped(page.question)}</p>
${rows.length === 0 ? '<p>Nothing of that kind was recorded.</p>' : `${chart(report)}${tableOf(report)}${cut}`}
<footer>${escaped(page.footer)} ${escaped(page.madeAt)}</footer>
</body>
</html>
`;
}

/** Bars of the most frequent rows; of days the latest, in their order. */
function chart({ name, rows, columns }: Report): string {
  const shown = name === 'days' ? byDay(rows).slice(-BARS_MAX) : toBars(rows.slice(0, BARS_MAX));
  const most = Math.max(...shown.map(({ count }) => count), 1);
  const bars = shown.map(({ label, count }, at) => {
    const y = at * BAR_HEIGHT;
    const width = Math.max(1, Math.round((count / most) * BAR_WIDTH));
    return (
      `<text x="${LABEL_WIDTH - 6}" y="${y + 14}" text-anchor="end">${escaped(shorten(label))}</text>` +
      `<rect x="${LABEL_WIDTH}" y="${y + 3}" width="${width}" height="${BAR_HEIGHT - 6}"/>` +
      `<text x="${LABEL_WIDTH + width + 6}" y="${y + 14}">${count}</text>`
    );
  });
  const height = shown.length * BAR_HEIGHT;
  const label = `The ${shown.length} most frequent by ${name === 'days' ? 'day' : columns.join(', ')}`;
  return `<svg viewBox="0 0 ${CHART_WIDTH} ${height}" role="img" aria-label="${escaped(label)}">${bars.join('')}</svg>\n`;
}

interface Bar {
  readonly label: string;
  readonly count: number;
}

/** Labelled by what the rows differ in: what they all say would only push that out of sight. */
function toBars(rows: readonly ReportRow[]): readonly Bar[] {
  const isTelling = (value: string, column: number) =>
    value !== '' && (rows.length === 1 || rows.some(({ values }) => values[column] !== value));
  return rows.map(({ values, count }) => ({ label: values.filter(isTelling).join(' '), count }));
}

function byDay(rows: readonly ReportRow[]): readonly Bar[] {
  const counts = new Map<string, number>();
  for (const { values, count } of rows) {
    const [day = ''] = values;
    counts.set(day, (counts.get(day) ?? 0) + count);
  }
  return [...counts].map(([label, count]) => ({ label, count }));
}

function tableOf({ columns, rows }: Report): string {
  const head = columns.map((column) => `<th>${escaped(column)}</th>`).join('');
  const body = rows.slice(0, ROWS_MAX).map(({ values, count, first, last }) => {
    const cells = values.map((value) => `<td>${escaped(value)}</td>`).join('');
    const times = [first, last]
      .map((time) => `<td class="time">${escaped(time.slice(0, 16).replace('T', ' '))}</td>`)
      .join('');
    return `<tr>${cells}<td class="number">${count}</td>${times}</tr>`;
  });
  return `<table><thead><tr>${head}<th class="number">count</th><th>first (UTC)</th><th>last (UTC)</th></tr></thead>
<tbody>
${body.join('\n')}
</tbody></table>
`;
}

/** Cut in the middle: names of repositories differ at their ends. */
function shorten(text: string): string {
  if (text.length <= LABEL_CHARACTERS) return text;
  const half = LABEL_CHARACTERS / 2 - 1;
  return `${text.slice(0, half)}..${text.slice(-half)}`;
}

/** Printable ASCII in which nothing begins a tag, an entity or the end of an attribute. */
function escaped(text: string): string {
  return safeText(text).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
