import type { Command } from 'commander';
import { UsageError } from '../client.ts';
import { readText } from '../input.ts';
import { plainJson, plainLines } from '../output.ts';
import type { CommandContext, GlobalOptions } from '../session.ts';
import { apply, textOf } from '../supply/apply.ts';
import { CLIENTS } from '../supply/clients.ts';
import type { Mirror, SetupRequest } from '../supply/plan.ts';

interface SetupOptions {
  readonly host: string;
  readonly ca: string;
  readonly mirror?: readonly string[];
  readonly apply?: boolean;
  readonly root: string;
}

/** They become parts of paths and of files: nothing else gets in. */
const HOST = /^(?:[a-z0-9-]+(?:\.[a-z0-9-]+)*|\[[0-9a-f:]+\])(?::\d{1,5})?$/i;
const PREFIX = /^[a-z0-9]+(?:[._-][a-z0-9]+)*(?:\/[a-z0-9]+(?:[._-][a-z0-9]+)*)*$/;

/** `client-setup`: the files that send a client through the gateway and leave it no other way. */
export function addClientSetupCommand(program: Command, context: CommandContext): void {
  const collect = (value: string, before: readonly string[] = []) => [...before, value];
  program
    .command('client-setup <client>')
    .description(
      'what docker, podman, containerd, cri-o, k3s, skopeo or lxc need to pull through the gateway only',
    )
    .option('--host <host>', 'name and port of the gateway', 'localhost:8443')
    .option('--ca <file>', "the gateway's CA", 'certs/ca.crt')
    .option(
      '--mirror <registry=prefix>',
      'images of this registry come from HOST/PREFIX (repeatable)',
      collect,
    )
    .option('--apply', 'write the files (0644); what is replaced is kept beside as *.before-dockgate')
    .option('--root <dir>', 'the machine that is set up, where that is not this one', '/')
    .addHelpText(
      'after',
      '\nExample:\n  dockgate client-setup podman --host reg.corp --ca ca.crt --mirror docker.io=hub --apply' +
        '\n\nThen `dockgate client-doctor --host reg.corp` on that machine looks for ways around the gateway.',
    )
    .action((client: string, options: SetupOptions, command: Command) => {
      const { json } = command.optsWithGlobals<GlobalOptions>();
      setUp(client, options, { context, isJson: json === true });
    });
}

function setUp(
  client: string,
  options: SetupOptions,
  { context, isJson }: { readonly context: CommandContext; readonly isJson: boolean },
): void {
  const plan = Object.hasOwn(CLIENTS, client) ? CLIENTS[client] : undefined;
  if (!plan) throw new UsageError(`${client}: the clients are ${Object.keys(CLIENTS).join(', ')}`);
  const { files, notes } = plan(readRequest(options));
  const told = files.map((file) => {
    if (options.apply) return { path: file.path, state: apply(options.root, file) };
    return { path: file.path, text: textOf(options.root, file).text };
  });
  if (isJson) {
    context.output.line(plainJson({ client, files: told, notes }));
    return;
  }
  for (const one of told) {
    const text = 'state' in one ? `${one.state}  ${one.path}` : `# ${one.path}\n${one.text}`;
    context.output.line(plainLines(text));
  }
  for (const note of notes) context.output.note(note);
}

function readRequest({ host, ca, mirror = [] }: SetupOptions): SetupRequest {
  const pem = readText(ca);
  if (!pem.includes('-----BEGIN CERTIFICATE-----')) throw new UsageError(`${ca} holds no certificate (PEM)`);
  return { host: readHost(host), ca: pem, mirrors: mirror.map(readMirror) };
}

/** @throws {UsageError} it is no host. */
export function readHost(text: string): string {
  if (!HOST.test(text))
    throw new UsageError(`--host ${text}: write a name with its port, such as reg.corp:8443`);
  return text;
}

function readMirror(text: string): Mirror {
  const [registry = '', prefix = '', ...more] = text.split('=');
  if (more.length > 0 || !HOST.test(registry) || !PREFIX.test(prefix)) {
    throw new UsageError(`--mirror ${text}: write REGISTRY=PREFIX, such as docker.io=hub`);
  }
  return { registry, prefix };
}
