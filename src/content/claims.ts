import { readlink, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrorWithCode } from '../base/index.ts';
import { algorithmOf, type Digest, hexOf } from '../oci/index.ts';
import type { Places } from './files.ts';

/** Content that one process of the node stores for all of them. */
export interface Claimed {
  readonly digest: Digest;
  /** Bytes, as the descriptor says. */
  readonly size: number;
}

/** Who stores it, and into which file of `tmp`. */
export interface Claimant {
  readonly name: string;
  readonly pid: number;
}

const CLAIMANT = /^([0-9A-Za-z]{1,64})\.(\d{1,10})$/;

/**
 * Says for all processes of the node that this one stores the content. A link that leads nowhere is made in one step or not at
 * all, and says in the same step into which file: no lock, nothing to be read half.
 *
 * @returns whether it is ours; `false` also where the file system makes no links: then nobody shares.
 */
export async function takeClaim(places: Places, claimed: Claimed, { name, pid }: Claimant): Promise<boolean> {
  try {
    await symlink(`${name}.${pid}`, pathOf(places, claimed));
    return true;
  } catch {
    return false;
  }
}

/** @returns `undefined`: nobody stores it. */
export async function claimantOf(places: Places, claimed: Claimed): Promise<Claimant | undefined> {
  const target = await readlink(pathOf(places, claimed)).catch(() => '');
  const [, name, pid] = CLAIMANT.exec(target) ?? [];
  return name === undefined ? undefined : { name, pid: Number(pid) };
}

/** Ends a claim, unless another process has it by now. A claim too few only means that content is fetched twice. */
export async function dropClaim(places: Places, claimed: Claimed, claimant: Claimant): Promise<void> {
  const current = await claimantOf(places, claimed);
  if (current?.name === claimant.name) await rm(pathOf(places, claimed), { force: true }).catch(() => {});
}

/** A process that has ended stores nothing more; one that only seems to live is found by what it does not do. */
export function isAlive({ pid }: Claimant): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return !isErrorWithCode(error, 'ESRCH');
  }
}

function pathOf({ temporary }: Places, { digest, size }: Claimed): string {
  return join(temporary, `claim-${algorithmOf(digest)}-${hexOf(digest)}-${size}`);
}
