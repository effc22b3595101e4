import type { Command } from 'commander';
import { asRecord, listIn } from '../client.ts';
import { table } from '../output.ts';
import { type Invocation, type Printed, withSession } from '../run-command.ts';
import type { CommandContext } from '../session.ts';
import { addExportCommands } from './audit-export.ts';
import { instantOf } from './audit-place.ts';
import { addProofCommands } from './audit-proofs.ts';
import { addReportCommand } from './audit-report.ts';
import { addVerifyCommand } from './audit-verify.ts';

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

/** `audit search`, and what the files beside this one add. */
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
  addVerifyCommand(audit, context);
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
