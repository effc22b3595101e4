import { sayBytes } from '../base/index.ts';
import { Fault, type Refusal, type Repository, refuse } from '../oci/index.ts';

/** What the repositories of a pattern may hold together, and hold now. */
export interface QuotaState {
  /** The pattern. */
  readonly on: string;
  readonly bytesMax: number;
  /** What each repository links, counted there; what is merely cached is not counted. */
  readonly usedBytes: number;
}

/** Port: quotas of the embedded registry. Implemented by `store/`. */
export interface Quotas {
  /** Those that a repository falls under. */
  of(repository: Repository): Promise<readonly QuotaState[]>;
  list(): Promise<readonly QuotaState[]>;
}

/** The link would take more than the quota; nothing was changed. */
export class QuotaExceeded extends Fault {
  constructor(quota: QuotaState, askedBytes: number) {
    super('DG_QUOTA', 'DENIED', sentence(quota, askedBytes), undefined, { status: 413 });
  }
}

/** @returns why so many bytes more may not come, else `undefined`. Only the link itself decides (`QuotaExceeded`). */
export function quotaRefusal(quotas: readonly QuotaState[], askedBytes: number): Refusal | undefined {
  const full = quotas.find(({ bytesMax, usedBytes }) => usedBytes + askedBytes > bytesMax);
  return full && refuse('DENIED', sentence(full, askedBytes), { status: 413 });
}

function sentence({ on, bytesMax, usedBytes }: QuotaState, askedBytes: number): string {
  const numbers = `${sayBytes(usedBytes)} used, ${sayBytes(askedBytes)} asked`;
  return `dockgate: the quota of ${on} is ${sayBytes(bytesMax)}: ${numbers}; remove images there or ask an admin`;
}
