import type { VerdictMemory } from '../verdicts/index.ts';

export type OpenMemory = { readonly verdicts: VerdictMemory; close(): void };
export async function openMemory(..._: unknown[]): Promise<OpenMemory | undefined> {
  return undefined;
}
