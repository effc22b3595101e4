import type { FeedEntries } from '../verdicts/index.ts';
import { FeedProblem, type ReadFeed } from './read-feed.ts';

const HEADER = 'cve,epss,percentile';
const SCORE_DATE = /(?:^#|,)score_date:(\d{4}-\d\d-\d\d)(?:T\d\d:\d\d:\d\d(?:Z|[+-]\d\d:?\d\d))?(?:,|$)/;
const ROW = /^(CVE-\d{4}-\d{4,12}),([\d.eE+-]{1,24}),([\d.eE+-]{1,24})$/;
const PIECE_ROWS = 2000;

/**
 * Reads FIRST's `epss_scores-current.csv`: comments, of which one tells the day of the scores, a header, a row a CVE.
 *
 * @throws {FeedProblem} while the pieces are read as well: a list that is wrong in one line is not used.
 * @see https://www.first.org/epss/data_stats
 */
export const readEpss: ReadFeed<'epss'> = (bytes) => {
  const lines = linesOf(bytes);
  let madeAtMs: number | undefined;
  let line = lines.next();
  while (!line.done && line.value.text.startsWith('#')) {
    const day = SCORE_DATE.exec(line.value.text)?.[1];
    if (day !== undefined) madeAtMs = Date.parse(day);
    line = lines.next();
  }
  if (madeAtMs === undefined || Number.isNaN(madeAtMs)) {
    throw new FeedProblem('has no comment with score_date, so nobody knows how old its scores are');
  }
  if (line.done || line.value.text !== HEADER) throw new FeedProblem(`has no header ${HEADER}`);
  return { madeAtMs, pieces: piecesOf(lines) };
};

function* piecesOf(lines: Generator<Line>): Generator<FeedEntries['epss']> {
  let piece: FeedEntries['epss'][number][] = [];
  for (const { text, number } of lines) {
    const [, cve = '', epss, percentile] = ROW.exec(text) ?? [];
    const [score, part] = [Number(epss), Number(percentile)];
    if (!(isPart(score) && isPart(part))) {
      throw new FeedProblem(`line ${number} is not CVE-YEAR-NUMBER,EPSS,PERCENTILE with numbers from 0 to 1`);
    }
    piece.push({ cve, score, percentile: part });
    if (piece.length < PIECE_ROWS) continue;
    yield piece;
    piece = [];
  }
  if (piece.length > 0) yield piece;
}

function isPart(value: number): boolean {
  return value >= 0 && value <= 1;
}

interface Line {
  readonly text: string;
  /** From 1. */
  readonly number: number;
}

/** One after the other: as one list of texts they would be ten times the file. */
function* linesOf(bytes: Uint8Array): Generator<Line> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let number = 0;
  for (let from = 0; from < buffer.length; ) {
    const newline = buffer.indexOf(0x0a, from);
    // A file that was cut may end in half a number.
    if (newline < 0) throw new FeedProblem('does not end with a line break: it was cut');
    number += 1;
    yield { text: buffer.toString('latin1', from, newline).replace(/\r$/, ''), number };
    from = newline + 1;
  }
}
