import type { AccountWrites } from '../auth/index.ts';
import type { Clock, Random } from '../base/index.ts';
import { addAccount, getAccount, killTokens, removeAccount, setDisabled } from './account-rows.ts';
import { applySteps } from './apply-steps.ts';
import { giveGrant, takeGrant } from './delegated-grants.ts';
import { refuseExternal, signInExternal } from './external-accounts.ts';
import { addGrant, removeGrant } from './grant-writes.ts';
import { addGroup, joinGroup, leaveGroup, removeGroup } from './group-writes.ts';
import { keepingAnAdmin } from './last-admin.ts';
import {
  addPersonalToken,
  removePersonalToken,
  rotated,
  rotatePersonalToken,
  touchPersonalToken,
  used,
} from './personal-tokens.ts';
import { addProgramSignIn, decideProgramSignIn, takeProgramSignIn } from './program-sign-ins.ts';
import { addRefreshToken, endSession } from './refresh-tokens.ts';
import { putRole, removeRole, setRoleFactor } from './role-writes.ts';
import {
  confirmFactor,
  removeFactor,
  setPendingFactor,
  useFactorStep,
  useRecoveryCode,
} from './second-factors.ts';
import type { MainSql, MainTables } from './tables.ts';
import type { Write } from './transactions.ts';

export interface AccountWritesParts {
  readonly write: Write<MainTables>;
  readonly clock: Clock;
  readonly random: Random;
}

export function createAccountWrites({ write, clock, random }: AccountWritesParts): AccountWrites {
  const ofAccount = (id: string, change: (sql: MainSql) => Promise<void>) =>
    write(async (sql, changed) => {
      await change(sql);
      changed('access', id);
    });
  const ofAll = <T>(change: (sql: MainSql) => Promise<T>) =>
    write(async (sql, changed) => {
      const result = await keepingAnAdmin(sql, clock.nowMs(), () => change(sql));
      changed('access');
      return result;
    });
  return {
    addAccount: (account) => ofAccount(account.id, (sql) => addAccount(sql, account)),
    setSecret: (id, secretHash, notBeforeMs) =>
      ofAccount(id, async (sql) => {
        await refuseExternal(sql, id);
        await killTokens(sql, id, notBeforeMs);
        await sql.updateTable('accounts').set(rotated('', { secretHash })).where('id', '=', id).execute();
      }),
    signInExternal: (signIn) =>
      write(async (sql, changed) => {
        const account = await signInExternal(sql, signIn, (one) => addAccount(sql, one));
        changed('access', account.id);
        return account;
      }),
    // What others hold of the account stays true: it is the same password.
    replaceHash: (id, oldHash, newHash) =>
      write(async (sql) => {
        await sql
          .updateTable('accounts')
          .set({ secret_hash: newHash })
          .where('id', '=', id)
          .where('secret_hash', '=', oldHash)
          .execute();
      }),
    rotateSecret: (id, rotation) =>
      ofAccount(id, async (sql) => {
        const { secret_hash } = await getAccount(sql, id);
        await sql.updateTable('accounts').set(rotated(secret_hash, rotation)).where('id', '=', id).execute();
      }),
    touchAccount: (id, use) =>
      write(async (sql) => {
        await sql.updateTable('accounts').set(used(use)).where('id', '=', id).execute();
      }),
    setDisabled: (id, isDisabled, notBeforeMs) =>
      ofAccount(id, (sql) =>
        keepingAnAdmin(sql, clock.nowMs(), () => setDisabled(sql, id, isDisabled, notBeforeMs)),
      ),
    revokeTokens: (id, notBeforeMs) =>
      ofAccount(id, async (sql) => {
        await killTokens(sql, id, notBeforeMs);
        await sql.deleteFrom('personal_tokens').where('account_id', '=', id).execute();
      }),
    removeAccount: (id) =>
      ofAccount(id, (sql) => keepingAnAdmin(sql, clock.nowMs(), () => removeAccount(sql, id))),
    addGroup: (group) => ofAll((sql) => addGroup(sql, group)),
    removeGroup: (name) => ofAll((sql) => removeGroup(sql, name)),
    joinGroup: (group, userName) => ofAll((sql) => joinGroup(sql, group, userName)),
    leaveGroup: (group, userName) => ofAll((sql) => leaveGroup(sql, group, userName)),
    putRole: (role) => ofAll((sql) => putRole(sql, role)),
    removeRole: (name) => ofAll((sql) => removeRole(sql, name)),
    addGrant: (grant) => ofAll((sql) => addGrant(sql, grant, { random, nowMs: clock.nowMs() })),
    removeGrant: (grant) => ofAll((sql) => removeGrant(sql, grant)),
    giveGrant: (giver, grant) =>
      ofAll((sql) => giveGrant(sql, giver, grant, { random, nowMs: clock.nowMs() })),
    takeGrant: (giver, grant) => ofAll((sql) => takeGrant(sql, giver, grant, clock.nowMs())),
    applySteps: (steps) => ofAll((sql) => applySteps(sql, steps, { random, nowMs: clock.nowMs() })),
    // Nothing in memory depends on one refresh token: it is looked up each time.
    addRefreshToken: (token) => write((sql) => addRefreshToken(sql, token)),
    touchRefreshToken: (id, use) =>
      write(async (sql) => {
        await sql.updateTable('refresh_tokens').set(used(use)).where('id', '=', id).execute();
      }),
    addPersonalToken: (token) => ofAccount(token.accountId, (sql) => addPersonalToken(sql, token)),
    rotatePersonalToken: (id, rotation) =>
      write(async (sql, changed) => changed('access', await rotatePersonalToken(sql, id, rotation))),
    removePersonalToken: (id) =>
      write(async (sql, changed) => changed('access', await removePersonalToken(sql, id))),
    touchPersonalToken: (id, use) => write((sql) => touchPersonalToken(sql, id, use)),
    // Changes nothing that anybody holds in memory, before it is confirmed.
    setPendingFactor: (id, sealedSeed) => write((sql) => setPendingFactor(sql, id, sealedSeed)),
    confirmFactor: (id, confirmation) =>
      ofAccount(id, async (sql) => {
        await killTokens(sql, id, confirmation.notBeforeMs);
        await confirmFactor(sql, id, confirmation);
      }),
    useFactorStep: (id, step) => write((sql) => useFactorStep(sql, id, step)),
    useRecoveryCode: (id, codeHash) => write((sql) => useRecoveryCode(sql, id, codeHash)),
    removeFactor: (id, notBeforeMs) =>
      ofAccount(id, async (sql) => {
        await killTokens(sql, id, notBeforeMs);
        await removeFactor(sql, id);
      }),
    setRoleFactor: (role, isRequired) => ofAll((sql) => setRoleFactor(sql, role, isRequired)),
    // Nobody has anything of these in memory.
    addProgramSignIn: (signIn) => write((sql) => addProgramSignIn(sql, signIn)),
    decideProgramSignIn: (codeHash, decision) => write((sql) => decideProgramSignIn(sql, codeHash, decision)),
    takeProgramSignIn: (secretHash, nowMs) => write((sql) => takeProgramSignIn(sql, secretHash, nowMs)),
    removeRefreshToken: (id) =>
      write(async (sql, changed) => {
        const owner = await endSession(sql, id, clock.nowMs());
        if (owner !== undefined) changed('access', owner);
      }),
  };
}
