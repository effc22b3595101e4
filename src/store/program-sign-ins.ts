import type { ProgramDecision, ProgramSignIn } from '../auth/index.ts';
import type { MainSql, ProgramSignInsTable } from './tables.ts';

/** Anybody may begin one: the table stays small. */
const WAITING_MAX = 1000;
const WAITING_OF_SOURCE_MAX = 20;

export async function findProgramSignIn(sql: MainSql, codeHash: string): Promise<ProgramSignIn | undefined> {
  const row = await sql
    .selectFrom('program_sign_ins')
    .selectAll()
    .where('code_hash', '=', codeHash)
    .executeTakeFirst();
  return row && toProgramSignIn(row);
}

export async function addProgramSignIn(sql: MainSql, signIn: ProgramSignIn): Promise<boolean> {
  await sql.deleteFrom('program_sign_ins').where('until_ms', '<=', signIn.createdAtMs).execute();
  const waiting = await sql.selectFrom('program_sign_ins').select('source').limit(WAITING_MAX).execute();
  const ofSource = waiting.filter(({ source }) => source === signIn.source);
  if (waiting.length >= WAITING_MAX || ofSource.length >= WAITING_OF_SOURCE_MAX) return false;
  await sql
    .insertInto('program_sign_ins')
    .values({
      secret_hash: signIn.secretHash,
      code_hash: signIn.codeHash ?? null,
      challenge: signIn.challenge ?? null,
      source: signIn.source,
      created_at_ms: signIn.createdAtMs,
      until_ms: signIn.untilMs,
      account_id: signIn.decision?.accountId ?? null,
      decided_at_ms: signIn.decision?.atMs ?? null,
    })
    .execute();
  return true;
}

export async function decideProgramSignIn(
  sql: MainSql,
  codeHash: string,
  { accountId, atMs }: ProgramDecision,
): Promise<boolean> {
  const decided = await sql
    .updateTable('program_sign_ins')
    .set({ account_id: accountId ?? null, decided_at_ms: atMs })
    .where('code_hash', '=', codeHash)
    .where('decided_at_ms', 'is', null)
    .where('until_ms', '>', atMs)
    .executeTakeFirst();
  return decided.numUpdatedRows > 0n;
}

export async function takeProgramSignIn(
  sql: MainSql,
  secretHash: string,
  nowMs: number,
): Promise<ProgramSignIn | undefined> {
  const row = await sql
    .selectFrom('program_sign_ins')
    .selectAll()
    .where('secret_hash', '=', secretHash)
    .executeTakeFirst();
  if (!row) return undefined;
  if (row.decided_at_ms !== null || row.until_ms <= nowMs) {
    await sql.deleteFrom('program_sign_ins').where('secret_hash', '=', secretHash).execute();
  }
  return toProgramSignIn(row);
}

function toProgramSignIn(row: ProgramSignInsTable): ProgramSignIn {
  const { account_id: accountId, decided_at_ms: atMs } = row;
  return {
    secretHash: row.secret_hash,
    ...(row.code_hash === null ? {} : { codeHash: row.code_hash }),
    ...(row.challenge === null ? {} : { challenge: row.challenge }),
    source: row.source,
    createdAtMs: row.created_at_ms,
    untilMs: row.until_ms,
    ...(atMs === null ? {} : { decision: { atMs, ...(accountId === null ? {} : { accountId }) } }),
  };
}
