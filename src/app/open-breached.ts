import { type BreachedPasswords, openBreachedPasswords } from '../auth/index.ts';
import type { NodeConfig } from './node-config.ts';

/** The list of breached passwords, where one is configured. @throws {StartError} it cannot be used. */
export async function openBreached({ signIn }: NodeConfig): Promise<BreachedPasswords | undefined> {
  return signIn.breachedPath === undefined ? undefined : openBreachedPasswords(signIn.breachedPath);
}
