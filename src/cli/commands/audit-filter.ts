import type { Command } from 'commander';
import type { RecordFilter } from '../../audit/index.ts';
import { instantOf, type LogOptions } from './audit-place.ts';

/** Options of the commands that read chosen records from a log's files. */
export interface FilterOptions extends LogOptions {
  readonly since?: string;
  readonly until?: string;
  readonly user?: string;
  readonly action?: string;
  readonly repository?: string;
  readonly outcome?: string;
  readonly digest?: string | undefined;
  readonly address?: string;
}

/** The options by which records are chosen. */
export function withConditions(command: Command): Command {
  return command
    .option('--since <time>', 'from then on: a duration back (2h, 7d) or a UTC instant')
    .option('--until <time>', 'before then, the same way')
    .option('--user <name>', 'who')
    .option('--action <action>', 'what')
    .option('--repository <repository>', 'where')
    .option('--outcome <outcome>', 'allowed or refused')
    .option('--digest <digest>', 'which content')
    .option('--address <address>', 'from where');
}

/** These, and the options by which the log is chosen. */
export function withFilterOptions(command: Command): Command {
  return withConditions(command)
    .option('--log <directory>', "a copied log instead of the server's")
    .option('--public-key <file>', "the log's public key; default: the one in the log's folder");
}

/** @throws {UsageError} a time is none. */
export function filterOf(options: FilterOptions): RecordFilter {
  const { since, until, user, action, repository, outcome, digest, address } = options;
  return {
    ...{ user, action, repository, outcome, digest, address },
    sinceMs: instantOf('--since', since),
    untilMs: instantOf('--until', until),
  };
}
