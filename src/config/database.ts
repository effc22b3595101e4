import { join, resolve } from 'node:path';
import { readCertificates } from './files.ts';
import { isPostgres } from './postgres-url.ts';
import type { Settings } from './schema.ts';
import { exclusive, type Problem, type Secrets } from './secrets.ts';

/** Where the main tables are, after every check. */
export interface DatabaseConfig {
  /** The SQLite file; not used beside `postgres`. */
  readonly databasePath: string;
  readonly postgres: PostgresConfig | undefined;
}

export interface PostgresConfig {
  /** `postgres://user@host[:port]/database` */
  readonly url: string;
  readonly password?: string;
  /** Absent: the line is plain. */
  readonly tls?: { readonly caPem?: string };
  /** Of one process. */
  readonly connectionsMax: number;
}

const SQLITE = 'sqlite:';

/** What no single key shows. */
export function databaseProblems({ database }: Settings): readonly Problem[] {
  const problems = exclusive(database, ['database'], 'password');
  if (isPostgres(database.url)) return problems;
  const keys = ['password', 'passwordFile', 'caFile'] as const;
  return [
    ...problems,
    ...keys
      .filter((key) => database[key] !== undefined)
      .map((key) => ({ path: ['database', key], message: 'goes only with a postgres:// url' })),
  ];
}

/** @throws {StartError} a file that it names cannot be used. */
export async function toDatabase(
  { database }: Settings,
  secrets: Secrets,
  places: { readonly directory: string; readonly dataDirectory: string },
): Promise<DatabaseConfig> {
  const { url, caFile, tls, connections } = database;
  const databasePath = url?.startsWith(SQLITE)
    ? resolve(places.directory, url.slice(SQLITE.length))
    : join(places.dataDirectory, 'dockgate.db');
  if (url === undefined || !isPostgres(url)) return { databasePath, postgres: undefined };
  const password = await secrets.read(database, ['database'], 'password');
  const caPem =
    caFile === undefined
      ? undefined
      : await readCertificates(resolve(places.directory, caFile), secrets.where(['database', 'caFile']));
  return {
    databasePath,
    postgres: {
      url,
      connectionsMax: connections,
      ...(password === undefined ? {} : { password }),
      ...(tls ? { tls: caPem === undefined ? {} : { caPem } } : {}),
    },
  };
}
