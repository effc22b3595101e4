import type { Command } from 'commander';
import {
  EXPORT_FORMATS,
  type ExportFormat,
  exportRecords,
  RECORD_SCHEMA,
  type RecordsProgress,
} from '../../audit/index.ts';
import { CommandFailed, UsageError } from '../client.ts';
import type { CommandContext } from '../session.ts';
import { type FilterOptions, filterOf, withFilterOptions } from './audit-filter.ts';
import { type LogPlace, locate, orFailed } from './audit-place.ts';

/** Progress is printed after so many entries. */
const PROGRESS_ENTRIES = 256 * 400;

interface ExportCommandOptions extends FilterOptions {
  readonly format: string;
  readonly proofs?: boolean;
}

/** `audit export`, `audit schema`. */
export function addExportCommands(audit: Command, context: CommandContext): void {
  const command = audit
    .command('export')
    .description(
      "the records below the checkpoint, oldest first, from the log's files; `audit verify` checks those",
    )
    .option('--format <format>', EXPORT_FORMATS.join(', '), 'jsonl')
    .option('--proofs', 'jsonl, ndjson: give each record its own C2SP tlog-proof')
    .addHelpText(
      'after',
      '\nExamples:\n  dockgate audit export --since 24h --format ocsf > events.jsonl' +
        '\n  dockgate audit export --user alice --proofs > alice.jsonl',
    );
  withFilterOptions(command).action((options: ExportCommandOptions, self: Command) =>
    orFailed(() => exportAll(options, locate(options, self), context)),
  );
  audit
    .command('schema')
    .description('the JSON Schema of a record')
    .action(() => context.output.line(JSON.stringify(RECORD_SCHEMA, null, 2)));
}

async function exportAll(
  options: ExportCommandOptions,
  place: LogPlace,
  { output }: CommandContext,
): Promise<void> {
  const format = formatOf(options);
  let last: RecordsProgress | undefined;
  const chunks = exportRecords({
    ...place,
    format,
    filter: filterOf(options),
    withProofs: options.proofs === true,
    onProgress: (progress) => {
      last = progress;
      if (progress.done % PROGRESS_ENTRIES === 0)
        output.note(`read ${progress.done} of ${progress.total} records`);
    },
  });
  for await (const chunk of chunks) {
    // A line of output brings its own newline.
    output.line(chunk.slice(0, -1));
    await output.drained?.();
  }
  output.note(`exported ${last?.matched ?? 0} of ${last?.total ?? 0} records`);
  if (last?.unreadable) {
    throw new CommandFailed(
      `${last.unreadable} entries of the log are no records; run: dockgate audit verify`,
    );
  }
}

function formatOf({ format, proofs }: ExportCommandOptions): ExportFormat {
  const known = EXPORT_FORMATS.find((each) => each === format);
  if (known === undefined) {
    throw new UsageError(`--format ${format}: one of ${EXPORT_FORMATS.join(', ')}`);
  }
  if (proofs && known !== 'jsonl' && known !== 'ndjson') {
    throw new UsageError('--proofs goes with --format jsonl or ndjson only');
  }
  return known;
}
