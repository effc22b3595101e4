import { type Command, Option } from 'commander';
import encodeQR from 'qr';
import { readPassword } from '../input.ts';
import { withSession } from '../run-command.ts';
import type { CommandContext } from '../session.ts';

interface CodeOptions {
  readonly code: string;
}

/** `user totp`: the second factor of whoever is signed in, and its reset by an admin. */
export function addSecondFactorCommands(user: Command, context: CommandContext): void {
  const totp = user.command('totp').description('second factor: one-time codes of an authenticator app');
  withPassword(totp.command('enroll'))
    .description('begin: prints a QR code for the app; `user totp confirm` puts it in force')
    .option('--code <code>', 'a code of the app that is in force, to replace it')
    .action((options: Partial<CodeOptions>, command: Command) =>
      withSession(command, context, async ({ client }) => {
        const { code } = options;
        const value = await client.post('/second-factor/enroll', {
          password: await readPassword(context),
          ...(code === undefined ? {} : { code }),
        });
        const uri = String(value.uri);
        const next = 'then: dockgate user totp confirm --code CODE --password-stdin';
        return { value, text: [...qrLines(uri), uri, `or type: ${value.seed}`, next].join('\n') };
      }),
    );
  withPassword(totp.command('confirm'))
    .description('put the enrolled app in force; prints ten recovery codes this once, ends earlier sessions')
    .requiredOption('--code <code>', 'what the app shows now')
    .action(({ code }: CodeOptions, command: Command) =>
      withSession(command, context, async ({ client }) => {
        const password = await readPassword(context);
        const value = await client.post('/second-factor/confirm', { password, code });
        const codes = Array.isArray(value.recoveryCodes) ? value.recoveryCodes.map(String) : [];
        return { value, text: ['second factor on; keep these, each works once:', ...codes].join('\n') };
      }),
    );
  withPassword(totp.command('disable'))
    .description('take your second factor away')
    .requiredOption('--code <code>', 'what the app shows now, or a recovery code')
    .action(({ code }: CodeOptions, command: Command) =>
      withSession(command, context, async ({ client }) => ({
        value: await client.post('/second-factor/disable', { password: await readPassword(context), code }),
        text: 'second factor off',
      })),
    );
  totp
    .command('reset <name>')
    .description('for an admin: take the second factor of somebody who lost it away')
    .action((name: string, _options, command: Command) =>
      withSession(command, context, async ({ client }) => ({
        value: await client.delete(`/users/${encodeURIComponent(name)}/second-factor`),
        text: `second factor of ${name} reset`,
      })),
    );
}

/** `role second-factor`: which roles ask for one. */
export function addRoleFactorCommand(role: Command, context: CommandContext): void {
  role
    .command('second-factor <name>')
    .description('whether what a role gives counts for people with a second factor only')
    .addOption(new Option('--required <answer>', 'yes or no').choices(['yes', 'no']).makeOptionMandatory())
    .action((name: string, { required }: { required: string }, command: Command) =>
      withSession(command, context, async ({ client }) => ({
        value: await client.put(`/roles/${encodeURIComponent(name)}/second-factor`, {
          isRequired: required === 'yes',
        }),
        text: `role ${name} ${required === 'yes' ? 'asks' : 'does not ask'} for a second factor`,
      })),
    );
}

function withPassword(command: Command): Command {
  return command.requiredOption('--password-stdin', 'read the password from standard input');
}

/** Two rows of modules in one line of half blocks, dark on light: no colours that a terminal could spell out. */
function qrLines(text: string): readonly string[] {
  const rows = encodeQR(text, 'raw', { border: 2 });
  const isDark = (row: number, column: number) => rows[row]?.[column] === true;
  return Array.from({ length: Math.ceil(rows.length / 2) }, (_, line) =>
    (rows[0] ?? [])
      .map((_module, column) => {
        const [upper, lower] = [isDark(2 * line, column), isDark(2 * line + 1, column)];
        if (upper) return lower ? ' ' : '▄';
        return lower ? '▀' : '█';
      })
      .join(''),
  );
}
