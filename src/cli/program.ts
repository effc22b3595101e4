import { Command } from 'commander';
import { addAccessCommands } from './commands/access.ts';
import { addAuditCommands } from './commands/audit.ts';
import { addClientDoctorCommand } from './commands/client-doctor.ts';
import { addClientSetupCommand } from './commands/client-setup.ts';
import { addConfigCommands } from './commands/config.ts';
import { addExceptionCommands } from './commands/exceptions.ts';
import { addImageCommands } from './commands/images.ts';
import { addPeopleCommands } from './commands/people.ts';
import { addPolicyCommands } from './commands/policies.ts';
import { addRegistryCommands } from './commands/registry.ts';
import { addRightsCommands } from './commands/rights.ts';
import { addScanCommands } from './commands/scans.ts';
import { addServiceCommands } from './commands/service.ts';
import { addSignInCommands } from './commands/sign-in.ts';
import { addTokenCommands } from './commands/tokens.ts';
import { addWebhookCommands } from './commands/webhooks.ts';
import { addCompletionCommand } from './completion.ts';
import type { CommandContext } from './session.ts';

const FIRST_STEPS = `
First steps, beside a server that runs on ./data:
  printf %s "$PASSWORD" | dockgate user add alice --password-stdin
  dockgate grant add --role developer --on 'team/**' --user alice
  dockgate explain alice pull team/app:1.4
  dockgate audit search --user alice --since 1h

Exit codes: 0 done, 1 failed or refused, 2 not understood.`;

/** The whole command line. */
export function createProgram(version: string, context: CommandContext): Command {
  const program = new Command('dockgate')
    .description('a secure gateway for container registries')
    .version(version)
    .option(
      '--data <dir>',
      'data of the server: speaks to the one that runs on it, or opens it when none runs',
    )
    .option('--json', 'print results as JSON')
    .showHelpAfterError('(try --help)')
    .addHelpText('after', FIRST_STEPS)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.output.line(text.trimEnd()),
      writeErr: (text) => context.output.note(text.trimEnd()),
    });
  addServiceCommands(program, context);
  addConfigCommands(program, context);
  addSignInCommands(program, context);
  addPeopleCommands(program, context);
  addTokenCommands(program, context);
  addRightsCommands(program, context);
  addAccessCommands(program, context);
  addImageCommands(program, context);
  addScanCommands(program, context);
  addWebhookCommands(program, context);
  addRegistryCommands(program, context);
  addPolicyCommands(program, context);
  addExceptionCommands(program, context);
  addAuditCommands(program, context);
  addClientSetupCommand(program, context);
  addClientDoctorCommand(program, context);
  addCompletionCommand(program, context);
  return program;
}
