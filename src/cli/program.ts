import { Command } from 'commander';
import { addAuditCommands } from './commands/audit.ts';
import { addImageCommands } from './commands/images.ts';
import { addPeopleCommands } from './commands/people.ts';
import { addPolicyCommands } from './commands/policies.ts';
import { addRightsCommands } from './commands/rights.ts';
import { addServiceCommands } from './commands/service.ts';
import { addCompletionCommand } from './completion.ts';
import type { CommandContext } from './session.ts';

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
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.output.line(text.trimEnd()),
      writeErr: (text) => context.output.note(text.trimEnd()),
    });
  addServiceCommands(program, context);
  addPeopleCommands(program, context);
  addRightsCommands(program, context);
  addImageCommands(program, context);
  addPolicyCommands(program, context);
  addAuditCommands(program, context);
  addCompletionCommand(program, context);
  return program;
}
