import type { Command } from 'commander';
import {
  EXPORT_FORMATS,
  type ExportFormat,
  type ExportProgress,
  exportRecords,
  RECORD_SCHEMA,
} from '../../audit/index.ts';
import { CommandFailed, UsageError } from '../client.ts';
import type { CommandContext } from '../session.ts';
import { instantOf, type LogOptions, type LogPlace, locate, orFailed } from './audit-place.ts';

/** Progress is printed after so many entries. */
const PROGRESS_ENTRIES = 256 * 400;

interface ExportCommandOptions extends LogOptions {
  readonly format: string;
  readonly proofs?: boolean;
  readonly since?: string;
  readonly until?: string;
  readonly user?: string;
  readonly action?: string;
  readonly repository?: string;
  readonly outcome?: string;
  readonly digest?: string;
  readonly address?: string;
}

/** `audit export`, `audit schema`. */
export function addExportCommands(audit: Command, context: CommandContext): void {
  audit
    .command('export')
    .description(
      "the records below the checkpoint, oldest first, from the log's files; `audit verify` checks those",
    )
    .option('--format <format>', EXPORT_FORMATS.join(', '), 'jsonl')
    .option('--proofs', 'jsonl: give each record its own C2SP tlog-proof')
    .option('--since <time>', 'a duration back (2h, 7d) or a UTC instant')
    .option('--until <time>', 'the same; records before it')
    .option('--user <name>', 'who')
    .option('--action <action>', 'what')
    .option('--repository <repository>', 'where')
    .option('--outcome <outcome>', 'allowed or refused')
    .option('--digest <digest>', 'which content')
    .option('--address <address>', 'from where')
    .option('--log <directory>', "a copied log instead of the server's")
    .option('--public-key <file>', "the log's public key; default: the one in the log's folder")
    .action((options: ExportCommandOptions, command: Command) =>
      orFailed(() => exportAll(options, locate(options, command), context)),
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
  const { since, until, user, action, repository, outcome, digest, address } = options;
  let last: ExportProgress | undefined;
  const chunks = exportRecords({
    ...place,
    format,
    filter: {
      ...{ user, action, repository, outcome, digest, address },
      sinceMs: instantOf('--since', since),
      untilMs: instantOf('--until', until),
    },
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
  output.note(`exported ${last?.exported ?? 0} of ${last?.total ?? 0} records`);
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
  if (proofs && known !== 'jsonl') throw new UsageError('--proofs goes with --format jsonl only');
  return known;
}
