import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/**
 * Fills the data of a server that is not running, in one go: what years of pushes and pulls would leave. The columns
 * are those of `src/store/schema/main-schema.ts`.
 */

/** Copies what `source` holds (manifests, tags, blobs) to `count` more repositories, `grown/r0` and so on. */
export function growRepositories(data: string, source: string, from: number, count: number): void {
  const database = openData(data);
  try {
    for (const [table, columns] of [
      ['repository_manifests', 'digest, owner, subject, pushed_by, linked_at_ms'],
      ['repository_blobs', 'digest, owner, size, until_ms'],
      ['tags', 'tag, digest, set_at_ms'],
    ] as const) {
      database.exec(
        `with recursive names (n) as (select ${from} union all select n + 1 from names where n < ${from + count - 1})
         insert into ${table} (repository, ${columns})
         select 'grown/r' || n, ${columns} from names, ${table} where repository = '${source}'`,
      );
    }
    database.exec('commit; analyze');
  } finally {
    database.close();
  }
}

/** Adds cached blobs of a few bytes each, rows and real files, all of one repository. */
export function growBlobs(data: string, from: number, count: number): void {
  const database = openData(data);
  try {
    const insert = database.prepare(
      `insert into repository_blobs (repository, digest, owner, size) values ('grown/cache', ?, 'cached', ?)`,
    );
    const content = join(data, 'content', 'sha256');
    for (let byte = 0; byte < 256; byte += 1) {
      mkdirSync(join(content, byte.toString(16).padStart(2, '0')), { recursive: true, mode: 0o700 });
    }
    for (let index = from; index < from + count; index += 1) {
      const bytes = `blob ${index}`;
      const hex = createHash('sha256').update(bytes).digest('hex');
      insert.run(`sha256:${hex}`, bytes.length);
      writeFileSync(join(content, hex.slice(0, 2), hex), bytes, { mode: 0o600 });
    }
    database.exec('commit; analyze');
  } finally {
    database.close();
  }
}

function openData(data: string): DatabaseSync {
  const database = new DatabaseSync(join(data, 'dockgate.db'));
  database.exec('pragma synchronous = off; pragma foreign_keys = on; begin');
  return database;
}
