import type { Command } from 'commander';
import { type Damage, verifyLog } from '../../audit/index.ts';
import { asRecord, CommandFailed, listIn } from '../client.ts';
import { readText } from '../input.ts';
import { plainJson, plainText, table } from '../output.ts';
import { type Invocation, type Printed, withSession } from '../run-command.ts';
import type { CommandContext } from '../session.ts';
import { addExportCommands } from './audit-export.ts';
import { instantOf, type LogOptions, locate } from './audit-place.ts';
import { addProofCommands } from './audit-proofs.ts';
import { addReportCommand } from './audit-report.ts';

interface SearchOptions {
  readonly user?: string;
  readonly action?: string;
  readonly repository?: string;
  readonly outcome?: string;
  readonly digest?: string;
  readonly address?: string;
  readonly reason?: string;
  readonly decision?: string;
  readonly since?: string;
  readonly until?: string;
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
    .option('--action <action>', 'what: pull, push, delete, list, sign-in, token, admin.grant.add ...')
    .option('--repository <repository>', 'where')
    .option('--outcome <outcome>', 'allowed or refused')
    .option('--digest <digest>', 'which content')
    .option('--address <address>', 'from where')
    .option('--reason <reason>', 'why, or the first part of it: policy, policy.secrets, grant, limit')
    .option('--decision <id>', 'the decision that a refusal ends with')
    .option('--since <time>', 'from then on: a duration back (2h, 7d) or a UTC instant')
    .option('--until <time>', 'before then, the same way')
    .option('--limit <count>', 'at most so many (1 to 1000)', '50')
    .addHelpText(
      'after',
      '\nA decision is written before its answer leaves; the completion that follows a transfer says how it ended.' +
        '\n\nExamples:\n  dockgate audit search --outcome refused --reason policy --since 24h' +
        '\n  dockgate audit search --user alice --action pull --repository team/app --json',
    )
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
    .addHelpText(
      'after',
      '\nReads files alone: it needs no server and trusts none. Keep copies of DATA/audit/log/checkpoint elsewhere;' +
        '\nonly they find a log that was replaced as a whole.' +
        '\n\nExample:\n  dockgate audit verify --log /mnt/copy/audit --against /safe/checkpoint-2026-11-24',
    )
    .action((options: VerifyOptions, command: Command) => verify(options, command, context));
  addProofCommands(audit, context);
  addExportCommands(audit, context);
  addReportCommand(audit, context);
}

async function search({ client }: Invocation, options: SearchOptions): Promise<Printed> {
  const { since, until, decision, ...same } = options;
  const value = await client.get('/audit/records', {
    ...same,
    requestId: decision,
    since: isoOf('--since', since),
    until: isoOf('--until', until),
  });
  const rows = listIn(value, 'records').map(({ index, record }) => {
    const entry = asRecord(record);
    return [
      ...[index, entry.time, entry.kind, entry.outcome, entry.status, entry.action],
      ...[asRecord(entry.principal).name, whereOf(entry), whyOf(entry)],
    ];
  });
  const headings = ['#', 'TIME', 'KIND', 'OUTCOME', 'STATUS', 'ACTION', 'WHO', 'WHERE', 'WHY'];
  return { value, text: table(headings, rows) };
}

function whereOf({ repository, reference, digest }: Record<string, unknown>): string {
  return [repository, reference ?? digest].filter((part) => typeof part === 'string').join(' ');
}

/** Of a decision its reason, of a completion how the transfer ended, of a summary how many there were. */
function whyOf({
  kind,
  reason,
  note,
  bytes,
  durationMs,
  isAborted,
  count,
}: Record<string, unknown>): unknown {
  if (kind === 'completion') {
    return `${isAborted === true ? 'cut after' : 'sent'} ${bytes ?? 0} bytes in ${durationMs ?? 0} ms`;
  }
  if (kind === 'summary') return `${count ?? 0} times, ${note ?? reason ?? ''}`;
  return reason ?? note;
}

function isoOf(option: string, text: string | undefined): string | undefined {
  const atMs = instantOf(option, text);
  return atMs === undefined ? undefined : new Date(atMs).toISOString();
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
  if (isJson) context.output.line(plainJson(report));
  if (report.damage) throw new CommandFailed(`the log is damaged: ${printDamage(report.damage)}`);
  if (!isJson) {
    context.output.line(
      `the log is whole: ${report.size} records of ${plainText(report.origin)} under the checkpoint, ` +
        `${report.waiting} durable and waiting for the next one`,
    );
    // What was believed, so that nobody takes the weaker proof for the stronger one.
    const continues =
      options.against === undefined ? [] : [`it continues the checkpoint in ${options.against}`];
    const believed = options.publicKey === undefined ? ['the public key beside it was believed'] : [];
    const notes = [...continues, ...believed];
    if (notes.length > 0) context.output.line(plainText(notes.join('; ')));
  }
}

function printDamage({ message, index, writer, seq, id }: Damage): string {
  if (index === undefined) return message;
  const about = { record: index, writer, seq, id };
  const known = Object.entries(about).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name} ${value}`],
  );
  return `${message} (${known.join(', ')})`;
}
