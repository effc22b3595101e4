import type { Command } from 'commander';
import { CommandFailed, UsageError } from '../client.ts';
import { plainJson, plainLines } from '../output.ts';
import type { CommandContext, GlobalOptions } from '../session.ts';
import { authorityHoles, handshakeHoles } from '../supply/authorities.ts';
import { containerdHoles, k3sHoles } from '../supply/containerd-holes.ts';
import { containersHoles } from '../supply/containers-holes.ts';
import { dockerHoles } from '../supply/docker-holes.ts';
import { KNOWN_REGISTRIES } from '../supply/places.ts';
import { reachHoles } from '../supply/reach.ts';
import { readHost } from './client-setup.ts';

interface DoctorOptions {
  readonly host: string;
  readonly root: string;
  readonly origin?: readonly string[];
  readonly public: boolean;
  readonly offline?: boolean;
}

/** `client-doctor`: tries to get around the gateway from a machine that pulls. */
export function addClientDoctorCommand(program: Command, context: CommandContext): void {
  const collect = (value: string, before: readonly string[] = []) => [...before, value];
  program
    .command('client-doctor')
    .description("look for ways around the gateway in the clients' files and from this machine's network")
    .option('--host <host>', 'name and port of the gateway', 'localhost:8443')
    .option('--root <dir>', 'the machine whose files are read', '/')
    .option(
      '--origin <address>',
      'the registry behind the gateway, or another that must not answer (repeatable)',
      collect,
    )
    .option('--no-public', 'do not ask the public registries whether they answer this machine')
    .option('--offline', 'read files only: ask neither the gateway nor any registry')
    .addHelpText(
      'after',
      '\nExit code 1 when there is a hole; each is printed with what mends it. Clients that are not installed are passed over.' +
        '\n\nExample:\n  dockgate client-doctor --host reg.corp --origin http://registry.internal:5000',
    )
    .action(async (options: DoctorOptions, command: Command) => {
      const { json } = command.optsWithGlobals<GlobalOptions>();
      await examine(options, json === true, context);
    });
}

async function examine(options: DoctorOptions, isJson: boolean, context: CommandContext): Promise<void> {
  const machine = { root: options.root, host: readHost(options.host) };
  const origins = [...(options.origin ?? []), ...(options.public ? KNOWN_REGISTRIES : [])];
  for (const origin of origins) {
    if (!URL.canParse(origin.includes('://') ? origin : `https://${origin}`)) {
      throw new UsageError(`--origin ${origin}: write a name or http://HOST:PORT`);
    }
  }
  const find = [dockerHoles, containersHoles, containerdHoles, k3sHoles, authorityHoles];
  const holes = find.flatMap((holesOf) => holesOf(machine));
  if (!options.offline) holes.push(...(await handshakeHoles(machine)), ...(await reachHoles(origins)));
  if (isJson) context.output.line(plainJson({ host: machine.host, holes }));
  else {
    for (const { client, where, text, mend } of holes) {
      context.output.line(plainLines(`HOLE  ${client}: ${where}: ${text}\n      mend: ${mend}`));
    }
    if (holes.length === 0) context.output.line('no way around the gateway was found');
  }
  if (holes.length > 0) throw new CommandFailed(`${holes.length} holes around ${machine.host}`);
}
