import type { Command } from 'commander';
import {
  makeReport,
  REPORT_NAMES,
  type RecordsProgress,
  type Report,
  reportCsv,
  reportTitle,
} from '../../audit/index.ts';
import { CommandFailed, UsageError } from '../client.ts';
import { plainJson, table } from '../output.ts';
import type { CommandContext } from '../session.ts';
import { type FilterOptions, filterOf, withFilterOptions } from './audit-filter.ts';
import { type LogPlace, locate, orFailed } from './audit-place.ts';

interface ReportOptions extends FilterOptions {
  readonly csv?: boolean;
}

/** `audit report`. */
export function addReportCommand(audit: Command, context: CommandContext): void {
  const list = REPORT_NAMES.map((name) => `  ${name.padEnd(13)} ${reportTitle(name)}`).join('\n');
  const command = audit
    .command('report <name>')
    .description(`counts of records, from the log's files: ${REPORT_NAMES.join(', ')}`)
    .option('--csv', 'as CSV; --json as JSON')
    .addHelpText(
      'after',
      `\nReports:\n${list}\n\nExamples:\n  dockgate audit report refusals --since 30d` +
        '\n  dockgate audit report principals --user alice --csv > alice.csv',
    );
  withFilterOptions(command).action((name: string, options: ReportOptions, self: Command) =>
    orFailed(() => report(name, options, locate(options, self), context)),
  );
}

async function report(
  wanted: string,
  options: ReportOptions,
  place: LogPlace,
  { output }: CommandContext,
): Promise<void> {
  const name = REPORT_NAMES.find((each) => each === wanted);
  if (name === undefined) throw new UsageError(`there is no report ${wanted}: ${REPORT_NAMES.join(', ')}`);
  let last: RecordsProgress | undefined;
  const made = await makeReport(name, {
    ...place,
    filter: filterOf(options),
    onProgress: (progress) => {
      last = progress;
    },
  });
  output.line(print(made, options, place));
  output.note(`${last?.matched ?? 0} of ${last?.total ?? 0} records looked at`);
  if (made.isCut) output.note('there are more groups than a report holds: choose fewer with the options');
  if (last?.unreadable) {
    throw new CommandFailed(
      `${last.unreadable} entries of the log are no records; run: dockgate audit verify`,
    );
  }
}

function print(made: Report, { csv }: ReportOptions, { isJson }: LogPlace): string {
  if (csv) return reportCsv(made).slice(0, -1);
  if (isJson) {
    return plainJson(
      made.rows.map(({ values, ...counted }) => ({
        ...Object.fromEntries(made.columns.map((column, at) => [column, values[at]])),
        ...counted,
      })),
    );
  }
  const headings = [...made.columns, 'count', 'first', 'last'].map((heading) => heading.toUpperCase());
  return table(
    headings,
    made.rows.map(({ values, count, first, last }) => [...values, count, first, last]),
  );
}
