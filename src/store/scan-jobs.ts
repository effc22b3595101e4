import type { Digest } from '../oci/index.ts';
import type { ScanJob, ScanJobs, ScanPriority } from '../verdicts/index.ts';
import { inChunks } from './rows.ts';
import type { ScanSql, ScanTables } from './tables.ts';
import type { Write } from './transactions.ts';

/** By urgency: the place in the list is what is kept. */
const PRIORITIES: readonly ScanPriority[] = ['pull', 'push', 'rescan'];

/** The queue has one user, which also writes it; so it reads in the writer's turn. */
export function createScanJobs(write: Write<ScanTables>): ScanJobs {
  return {
    put: (job, nowMs) => write((sql) => put(sql, job, nowMs)),
    take: (nowMs, leaseMs) => write((sql) => take(sql, nowMs, leaseMs)),
    hold: (digest, untilMs) =>
      write(async (sql) => {
        await sql.updateTable('jobs').set({ held_until_ms: untilMs }).where('digest', '=', digest).execute();
      }),
    finish: (digest) =>
      write(async (sql) => {
        await sql.deleteFrom('jobs').where('digest', '=', digest).execute();
      }),
    retry: (digest, notBeforeMs) =>
      write(async (sql) => {
        await sql
          .updateTable('jobs')
          .set(({ eb }) => ({
            held_until_ms: 0,
            not_before_ms: notBeforeMs,
            attempts: eb('attempts', '+', 1),
          }))
          .where('digest', '=', digest)
          .execute();
      }),
    count: () =>
      write(async (sql) => {
        const row = await sql
          .selectFrom('jobs')
          .select(({ fn }) => fn.countAll<number>().as('count'))
          .executeTakeFirstOrThrow();
        return row.count;
      }),
    among: (digests) =>
      write(async (sql) => {
        const found: Digest[] = [];
        for (const chunk of inChunks(digests)) {
          const rows = await sql.selectFrom('jobs').select('digest').where('digest', 'in', chunk).execute();
          found.push(...rows.map(({ digest }) => digest));
        }
        return found;
      }),
  };
}

/** A more urgent wish replaces a less urgent one; its place among its equals is kept from the first wish. */
async function put(
  sql: ScanSql,
  job: Omit<ScanJob, 'attempts' | 'queuedAtMs'>,
  nowMs: number,
): Promise<void> {
  const priority = PRIORITIES.indexOf(job.priority);
  await sql
    .insertInto('jobs')
    .values({
      digest: job.digest,
      repository: job.repository,
      priority,
      attempts: 0,
      queued_at_ms: nowMs,
      not_before_ms: nowMs,
      held_until_ms: 0,
    })
    .onConflict((conflict) =>
      conflict
        .column('digest')
        .doUpdateSet({ priority, repository: job.repository })
        .where('jobs.priority', '>', priority),
    )
    .execute();
}

/**
 * A hold that ran out means that whoever held the job died over it: that counts as an attempt, else an image that
 * kills its scanner would be tried for ever.
 */
async function take(sql: ScanSql, nowMs: number, leaseMs: number): Promise<ScanJob | undefined> {
  const row = await sql
    .selectFrom('jobs')
    .selectAll()
    .where('not_before_ms', '<=', nowMs)
    .where('held_until_ms', '<=', nowMs)
    .orderBy('priority')
    .orderBy('queued_at_ms')
    .orderBy('digest')
    .limit(1)
    .executeTakeFirst();
  if (!row) return undefined;
  const attempts = row.attempts + (row.held_until_ms > 0 ? 1 : 0);
  await sql
    .updateTable('jobs')
    .set({ held_until_ms: nowMs + leaseMs, attempts })
    .where('digest', '=', row.digest)
    .execute();
  return {
    repository: row.repository,
    digest: row.digest,
    priority: PRIORITIES[row.priority] ?? 'rescan',
    attempts,
    queuedAtMs: row.queued_at_ms,
  };
}
