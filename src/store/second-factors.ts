import type { FactorConfirmation } from '../auth/index.ts';
import { StoreConflict } from './faults.ts';
import type { AccountsTable, MainSql } from './tables.ts';

/** Until it is confirmed, a seed changes nothing; one in force is not replaced by it. */
export async function setPendingFactor(sql: MainSql, id: string, sealedSeed: string): Promise<void> {
  await sql.updateTable('accounts').set({ pending_factor: sealedSeed }).where('id', '=', id).execute();
}

/** @throws {StoreConflict} another seed waits by now. */
export async function confirmFactor(
  sql: MainSql,
  id: string,
  { pending, step, recoveryHashes }: FactorConfirmation,
): Promise<void> {
  const done = await sql
    .updateTable('accounts')
    .set({ second_factor: pending, factor_step: step, pending_factor: null })
    .where('id', '=', id)
    .where('pending_factor', '=', pending)
    .executeTakeFirst();
  if (done.numUpdatedRows === 0n) {
    throw new StoreConflict('unknown', 'this enrolment is over: begin it again');
  }
  await sql.deleteFrom('recovery_codes').where('account_id', '=', id).execute();
  await sql
    .insertInto('recovery_codes')
    .values(recoveryHashes.map((code_hash) => ({ account_id: id, code_hash })))
    .execute();
}

/** Compare and set, in the one process that writes: a code counts once in all of them. */
export async function useFactorStep(sql: MainSql, id: string, step: number): Promise<boolean> {
  const used = await sql
    .updateTable('accounts')
    .set({ factor_step: step })
    .where('id', '=', id)
    .where('factor_step', '<', step)
    .executeTakeFirst();
  return used.numUpdatedRows > 0n;
}

export async function useRecoveryCode(sql: MainSql, id: string, codeHash: string): Promise<boolean> {
  const used = await sql
    .deleteFrom('recovery_codes')
    .where('account_id', '=', id)
    .where('code_hash', '=', codeHash)
    .executeTakeFirst();
  return used.numDeletedRows > 0n;
}

export async function removeFactor(sql: MainSql, id: string): Promise<void> {
  await sql
    .updateTable('accounts')
    .set({ second_factor: null, factor_step: null, pending_factor: null })
    .where('id', '=', id)
    .execute();
  await sql.deleteFrom('recovery_codes').where('account_id', '=', id).execute();
}

/** The members of an account that its columns give. */
export function factorOf(row: Pick<AccountsTable, 'second_factor' | 'factor_step' | 'pending_factor'>): {
  readonly secondFactor?: { readonly sealedSeed: string; readonly lastStep: number };
  readonly pendingFactor?: string;
} {
  const { second_factor: sealedSeed, factor_step: lastStep, pending_factor: pendingFactor } = row;
  return {
    ...(sealedSeed === null ? {} : { secondFactor: { sealedSeed, lastStep: lastStep ?? 0 } }),
    ...(pendingFactor === null ? {} : { pendingFactor }),
  };
}
