import type { Command } from 'commander';
import {
  makeReport,
  REPORT_NAMES,
  type RecordsProgress,
  type Report,
  reportCsv,
  reportHelp,
  reportHtml,
  reportTitle,
} from '../../audit/index.ts';
import { systemClock } from '../../base/index.ts';
import { CommandFailed, UsageError } from '../client.ts';
import { plainJson, table } from '../output.ts';
import { type CommandContext, type GlobalOptions, openSession } from '../session.ts';
import { type FilterOptions, filterOf, withFilterOptions } from './audit-filter.ts';
import { type LogPlace, locate, orFailed } from './audit-place.ts';

interface ReportOptions extends FilterOptions {
  readonly csv?: boolean;
  readonly html?: boolean;
  readonly finding?: string;
}

/** `audit report`. */
export function addReportCommand(audit: Command, context: CommandContext): void {
  const list = REPORT_NAMES.map((name) => `  ${name.padEnd(13)} ${reportHelp(name)}`).join('\n');
  const command = audit
    .command('report <name>')
    .description(`counts of records, from the log's files: ${REPORT_NAMES.join(', ')}`)
    .option('--csv', 'as CSV; --json as JSON')
    .option('--html', 'as a page with charts that prints well and needs nothing else')
    .option('--finding <id>', 'of exposed: a CVE or another finding')
    .addHelpText(
      'after',
      `\nReports:\n${list}\n\nExamples:\n  dockgate audit report refusals --since 30d` +
        '\n  dockgate audit report principals --user alice --csv > alice.csv',
    );
  withFilterOptions(command).action((name: string, options: ReportOptions, self: Command) =>
    orFailed(() => report(name, options, locate(options, self), { context, command: self })),
  );
}

async function report(
  wanted: string,
  options: ReportOptions,
  place: LogPlace,
  { context, command }: { readonly context: CommandContext; readonly command: Command },
): Promise<void> {
  const { output } = context;
  const name = REPORT_NAMES.find((each) => each === wanted);
  if (name === undefined) throw new UsageError(`there is no report ${wanted}: ${REPORT_NAMES.join(', ')}`);
  let last: RecordsProgress | undefined;
  const made = await makeReport(name, {
    ...place,
    ...(name === 'exposed' ? await exposedOf(options, command, context) : {}),
    filter: filterOf(name === 'exposed' ? { ...options, digest: undefined } : options),
    onProgress: (progress) => {
      last = progress;
    },
  });
  output.line(print(made, options, place));
  output.note(`${last?.matched ?? 0} of ${last?.total ?? 0} records looked at`);
  if (made.rows.length === 0) output.note('nothing of that kind was recorded');
  if (made.isCut) output.note('there are more groups than a report holds: choose fewer with the options');
  if (last?.unreadable) {
    throw new CommandFailed(
      `${last.unreadable} entries of the log are no records; run: dockgate audit verify`,
    );
  }
}

/**
 * The digests that count as bad. What images contain is known by the server; beside a copied log only the digest
 * itself is looked for.
 *
 * @throws {UsageError} nothing was said to be bad.
 */
async function exposedOf(
  { finding, digest, log }: ReportOptions,
  command: Command,
  context: CommandContext,
): Promise<{ readonly digests: ReadonlySet<string> }> {
  if ((finding === undefined) === (digest === undefined)) {
    throw new UsageError('exposed: give either --finding CVE or --digest DIGEST');
  }
  if (log !== undefined) {
    if (digest === undefined) throw new UsageError('--finding asks the server: it does not go with --log');
    return { digests: new Set([digest]) };
  }
  const session = await openSession(command.optsWithGlobals<GlobalOptions>(), context);
  try {
    const { digests } = await session.client.get('/audit/exposed', { finding, digest });
    return { digests: new Set(Array.isArray(digests) ? digests.map(String) : []) };
  } finally {
    await session.close();
  }
}

function questionOf(options: ReportOptions): string {
  const { since, until, user, action, repository, outcome, digest, address, finding } = options;
  const asked = { since, until, user, action, repository, outcome, digest, address, finding };
  const given = Object.entries(asked).filter(([, value]) => value !== undefined);
  return given.length === 0
    ? 'All records.'
    : `${given.map(([key, value]) => `${key} ${value}`).join(', ')}.`;
}

function print(made: Report, options: ReportOptions, { isJson }: LogPlace): string {
  const { csv, html } = options;
  if (html) {
    return reportHtml(made, {
      title: `Access log: ${reportTitle(made.name)}`,
      question: questionOf(options),
      madeAt: new Date(systemClock.nowMs()).toISOString(),
      footer: 'Counted from the files of the log; `dockgate audit verify` checks those. Made',
    }).slice(0, -1);
  }
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
