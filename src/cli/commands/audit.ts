import type { Command } from 'commander';
import { type Damage, verifyLog } from '../../audit/index.ts';
import { parseDuration, systemClock } from '../../base/index.ts';
import { asRecord, CommandFailed, listIn } from '../client.ts';
import { plainText, table } from '../output.ts';
import { type Invocation, type Printed, withSession } from '../run-command.ts';
import type { CommandContext } from '../session.ts';
import { type LogOptions, locate, readText } from './audit-place.ts';
import { addProofCommands } from './audit-proofs.ts';

interface SearchOptions {
  readonly user?: string;
  readonly action?: string;
  readonly repository?: string;
  readonly outcome?: string;
  readonly digest?: string;
  readonly since?: string;
  readonly limit: string;
}

/** Progress is printed after so many records. */
const PROGRESS_RECORDS = 256 * 100;

/** `audit search`, `audit verify`, and what the files beside this one add. */
export function addAuditCommands(program: Command, context: CommandContext): void {
  const audit = program.command('audit').description('the access log: search it, verify it');
  audit
    .command('search')
    .description('access records, newest first')
    .option('--user <name>', 'who')
    .option('--action <action>', 'what: pull, push, delete, list, token, admin.grant.add ...')
    .option('--repository <repository>', 'where')
    .option('--outcome <outcome>', 'allowed or refused')
    .option('--digest <digest>', 'which content')
    .option('--since <time>', 'a duration back (2h, 7d) or a UTC instant')
    .option('--limit <count>', 'at most so many', '50')
    .action((options: SearchOptions, command: Command) =>
      withSession(command, context, (invocation) => search(invocation, options)),
    );
  audit
    .command('verify')
    .description(
      'check every record, tile and checkpoint; exit code 1 and the first bad record on any damage',
    )
    .option('--against <file>', 'a checkpoint that was kept elsewhere: finds an older copy put back')
    .option(
      '--log <directory>',
      "a copied log instead of the server's: the folder that holds `log` and `wal`",
    )
    .option('--public-key <file>', "the log's public key; default: the one in the log's folder")
    .action((options: VerifyOptions, command: Command) => verify(options, command, context));
  addProofCommands(audit, context);
}

async function search({ client }: Invocation, options: SearchOptions): Promise<Printed> {
  const { since, ...same } = options;
  const value = await client.get('/audit/records', {
    ...same,
    since: since === undefined ? undefined : sinceOf(since),
  });
  const rows = listIn(value, 'records').map(({ index, record }) => {
    const entry = asRecord(record);
    const where = [entry.repository, entry.reference].filter(Boolean).join(' ');
    return [
      index,
      entry.time,
      entry.outcome,
      entry.status,
      entry.action,
      asRecord(entry.principal).name,
      where,
      entry.reason,
    ];
  });
  return { value, text: table(['#', 'TIME', 'OUTCOME', 'STATUS', 'ACTION', 'WHO', 'WHERE', 'WHY'], rows) };
}

function sinceOf(text: string): string {
  const backMs = parseDuration(text);
  const atMs = backMs === undefined ? Date.parse(text) : systemClock.nowMs() - backMs;
  if (Number.isNaN(atMs))
    throw new CommandFailed(`--since ${plainText(text)}: write 2h, 7d or 2026-11-24T00:00:00Z`);
  return new Date(atMs).toISOString();
}

interface VerifyOptions extends LogOptions {
  readonly against?: string;
}

/** Reads the files alone: it needs no server and trusts none. */
async function verify(options: VerifyOptions, command: Command, context: CommandContext): Promise<void> {
  const { directory, publicKey, isJson } = locate(options, command);
  const against = options.against === undefined ? {} : { against: readText(options.against) };
  const report = await verifyLog({
    directory,
    publicKey,
    ...against,
    onProgress: ({ done, total }) => {
      if (done % PROGRESS_RECORDS === 0) context.output.note(`verified ${done} of ${total} records`);
    },
  });
  if (isJson) context.output.line(JSON.stringify(report));
  if (report.damage) throw new CommandFailed(`the log is damaged: ${printDamage(report.damage)}`);
  if (!isJson) {
    context.output.line(
      `the log is whole: ${report.size} records of ${report.origin} under the checkpoint, ` +
        `${report.waiting} durable and waiting for the next one`,
    );
  }
}

function printDamage({ message, index, writer, seq, id }: Damage): string {
  const where =
    index === undefined
      ? ''
      : ` (record ${index}, writer ${writer ?? '?'}, seq ${seq ?? '?'}, id ${id ?? '?'})`;
  return `${message}${where}`;
}
