import type { Command } from 'commander';
import type { Client } from './client.ts';
import { type Output, plainJson, plainLines } from './output.ts';
import { type CommandContext, type GlobalOptions, openSession } from './session.ts';

/** What one command got and how it may answer. */
export interface Invocation {
  readonly client: Client;
  readonly output: Output;
  readonly isJson: boolean;
  readonly context: CommandContext;
}

/** Opens a session, runs, prints the result as JSON where asked, closes. */
export async function withSession(
  command: Command,
  context: CommandContext,
  run: (invocation: Invocation) => Promise<Printed>,
): Promise<void> {
  const options: GlobalOptions = command.optsWithGlobals();
  const session = await openSession(options, context);
  try {
    const isJson = options.json === true;
    const printed = await run({ client: session.client, output: context.output, isJson, context });
    context.output.line(isJson ? plainJson(printed.value) : plainLines(printed.text));
  } finally {
    await session.close();
  }
}

/** A result for machines and the same for people. */
export interface Printed {
  readonly value: unknown;
  readonly text: string;
}
