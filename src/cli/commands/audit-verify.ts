import type { Command } from 'commander';
import { type Damage, type VerifyReport, verifyLog } from '../../audit/index.ts';
import { CommandFailed, UsageError } from '../client.ts';
import { readText } from '../input.ts';
import { type Output, plainJson, plainText } from '../output.ts';
import type { CommandContext } from '../session.ts';
import { type LogOptions, locate } from './audit-place.ts';

/** Where nobody watches, progress is printed after so many records. */
const PROGRESS_RECORDS = 1_000_000;

/** `audit verify`. */
export function addVerifyCommand(audit: Command, context: CommandContext): void {
  audit
    .command('verify')
    .description(
      'check every record, tile and checkpoint; exit code 1 and the first bad record on any damage',
    )
    .option(
      '--against <file>',
      'checkpoints that were kept elsewhere, one or many: finds an older copy put back and a history written anew',
    )
    .option('--since <file>', 'a checkpoint of an earlier verification: reads the records after it only')
    .option('--threads <count>', 'how many threads verify; default: one a core')
    .option(
      '--log <directory>',
      "a copied log instead of the server's: the folder that holds `log` and `wal`",
    )
    .option('--public-key <file>', "the log's public key; default: the one in the log's folder")
    .addHelpText(
      'after',
      '\nReads files alone: it needs no server and trusts none. Keep copies of DATA/audit/log/checkpoint elsewhere;' +
        '\nonly they find a log that was replaced as a whole.' +
        '\n\nExample:\n  dockgate audit verify --log /mnt/copy/audit --against /safe/checkpoint-2026-11-24',
    )
    .action((options: VerifyOptions, command: Command) => verify(options, command, context));
}

interface VerifyOptions extends LogOptions {
  readonly against?: string;
  readonly since?: string;
  readonly threads?: string;
}

/** Reads the files alone: it needs no server and trusts none. */
async function verify(options: VerifyOptions, command: Command, { output }: CommandContext): Promise<void> {
  const { directory, publicKey, isJson } = locate(options, command);
  const progress = showProgress(output);
  const report = await verifyLog({
    ...{ directory, publicKey },
    ...(options.against === undefined ? {} : { against: readText(options.against) }),
    ...(options.since === undefined ? {} : { since: readText(options.since) }),
    ...(options.threads === undefined ? {} : { threads: threadsOf(options.threads) }),
    onProgress: progress.show,
  }).finally(progress.end);
  if (isJson) output.line(plainJson(report));
  if (report.damage) throw new CommandFailed(`the log is damaged: ${printDamage(report.damage)}`);
  if (!isJson) for (const line of printReport(report, options)) output.line(line);
}

function printReport(report: VerifyReport, options: VerifyOptions): string[] {
  const { size, origin, waiting, from, rotations, publicKey, keptFrom, prunedBy } = report;
  const whole =
    `the log is whole: ${size} records of ${plainText(origin)} under the checkpoint, ` +
    `${waiting} durable and waiting for the next one`;
  // What was believed, so that nobody takes the weaker proof for the stronger one.
  const notes = [
    ...(options.against === undefined ? [] : [`it continues the checkpoints in ${options.against}`]),
    ...(options.since === undefined
      ? []
      : [
          `it continues the checkpoint in ${options.since}, and the ${from} records below that were not read`,
        ]),
    ...(keptFrom === 0
      ? []
      : [`records below ${keptFrom} were removed by its retention, as record ${prunedBy} tells`]),
    ...(rotations === 0 ? [] : [`its key was exchanged ${rotations} times and is now ${publicKey}`]),
    ...(options.publicKey === undefined ? ['the public key beside it was believed'] : []),
  ];
  return notes.length === 0 ? [whole] : [whole, plainText(notes.join('; '))];
}

function threadsOf(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > 256) {
    throw new UsageError(`--threads ${text}: a whole number from 1 to 256`);
  }
  return count;
}

/** One line that counts up on a terminal; elsewhere a line now and then. */
function showProgress(output: Output): {
  show(progress: { readonly done: number; readonly total: number }): void;
  end(): void;
} {
  let told = 0;
  return {
    show({ done, total }) {
      const text = `verified ${done} of ${total} records`;
      if (output.progress !== undefined) output.progress(text);
      else if (Math.floor(done / PROGRESS_RECORDS) > Math.floor(told / PROGRESS_RECORDS)) output.note(text);
      told = done;
    },
    end: () => output.progress?.(''),
  };
}

function printDamage({ message, index, writer, seq, id }: Damage): string {
  if (index === undefined) return message;
  const about = { record: index, writer, seq, id };
  const known = Object.entries(about).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name} ${value}`],
  );
  return `${message} (${known.join(', ')})`;
}
