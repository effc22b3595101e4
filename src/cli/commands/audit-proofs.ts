import type { Command } from 'commander';
import { checkProof, NoProof, openProver, type ProofCheck, safePrint } from '../../audit/index.ts';
import { CommandFailed } from '../client.ts';
import { readText } from '../input.ts';
import { plainText } from '../output.ts';
import type { CommandContext } from '../session.ts';
import { type LogOptions, type LogPlace, locate, orFailed } from './audit-place.ts';

/** What an auditor does with single records: proofs are made on the log's files and checked without them. */
export function addProofCommands(audit: Command, context: CommandContext): void {
  audit
    .command('prove <record>')
    .description('print a proof that a record (number, id or request id) is in the log, as a C2SP tlog-proof')
    .option('--log <directory>', "a copied log instead of the server's")
    .option('--public-key <file>', "the log's public key; default: the one in the log's folder")
    .action((record: string, options: LogOptions, command: Command) =>
      prove(record, locate(options, command), context),
    );
  audit
    .command('consistency <older> [newer]')
    .description(
      'print a proof that the log of one checkpoint file continues that of an older one; default: the log as it is',
    )
    .option('--log <directory>', "a copied log instead of the server's")
    .option('--public-key <file>', "the log's public key; default: the one in the log's folder")
    .action((older: string, newer: string | undefined, options: LogOptions, command: Command) =>
      proveContinuation({ older, newer }, locate(options, command), context),
    );
  audit
    .command('check <proof>')
    .description("check a proof with nothing but the log's public key; `-` reads it from standard input")
    .requiredOption(
      '--public-key <file>',
      "the log's public key, from a place that its owner cannot write to",
    )
    .option('--against <file>', 'for a consistency proof: the older checkpoint')
    .action((proof: string, options: CheckOptions, command: Command) =>
      check(proof, options, command, context),
    );
}

async function prove(record: string, place: LogPlace, context: CommandContext): Promise<void> {
  const proof = await orFailed(async () => {
    const prover = await openProver(place);
    const index = /^\d{1,15}$/.test(record) ? Number(record) : await prover.findIndex(record);
    if (index === undefined) {
      throw new NoProof(
        `no record below the checkpoint has the id ${plainText(record)}; a new record waits a second for it`,
      );
    }
    return prover.prove(index);
  });
  printProof(proof, place, context);
}

async function proveContinuation(
  files: { readonly older: string; readonly newer: string | undefined },
  place: LogPlace,
  context: CommandContext,
): Promise<void> {
  const older = readText(files.older);
  const newer = files.newer === undefined ? undefined : readText(files.newer);
  const proof = await orFailed(async () => (await openProver(place)).proveContinuation(older, newer));
  printProof(proof, place, context);
}

function printProof(proof: string, { isJson }: LogPlace, { output }: CommandContext): void {
  // A proof ends with the newline of its note, and so does a line of output.
  output.line(isJson ? JSON.stringify({ proof }) : proof.slice(0, -1));
}

interface CheckOptions {
  readonly publicKey: string;
  readonly against?: string;
}

async function check(
  file: string,
  options: CheckOptions,
  command: Command,
  context: CommandContext,
): Promise<void> {
  const { json } = command.optsWithGlobals<{ json?: boolean }>();
  const proof = file === '-' ? await context.readInput() : readText(file);
  const against = options.against === undefined ? undefined : readText(options.against);
  const result = checkProof(proof, { publicKey: readText(options.publicKey), against });
  if (json) context.output.line(JSON.stringify(result));
  if (!result.isGood) throw new CommandFailed(`the proof is not good: ${result.message}`);
  if (!json) context.output.line(printCheck(result));
}

function printCheck(result: Extract<ProofCheck, { readonly isGood: true }>): string {
  const { origin, size } = result;
  return result.kind === 'inclusion'
    ? `record ${result.index} of ${origin} is in its log, under the checkpoint at ${size} records:\n` +
        safePrint(result.record)
    : `the log of ${origin} with ${size} records continues the one with ${result.oldSize}`;
}
