import type { Command } from 'commander';
import { explainConfig, loadConfig } from '../../config/index.ts';
import { plainJson, table } from '../output.ts';
import type { CommandContext, GlobalOptions } from '../session.ts';
import { type ServeOptions, serverOptions } from './service.ts';

/** `config explain`: what a server started here with these options would use. */
export function addConfigCommands(program: Command, context: CommandContext): void {
  const config = program.command('config').description('the settings: docs/configuration.md');
  serverOptions(
    config
      .command('explain')
      .description('every key with its value and where it was set, as a server started here would have it'),
  ).action(async (options: ServeOptions, command: Command) => {
    const { json, ...globals } = command.optsWithGlobals<GlobalOptions>();
    const source = { options: { ...globals, ...options }, environment: context.env };
    const { tree } = await loadConfig({ ...source, directory: process.cwd() });
    const keys = explainConfig(tree);
    const rows = keys.map(({ key, value, from }) => [key, value, from]);
    context.output.line(json === true ? plainJson(keys) : table(['KEY', 'VALUE', 'FROM'], rows));
  });
}
