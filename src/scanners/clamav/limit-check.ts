import { gzipSync } from 'node:zlib';
import { Fault } from '../../oci/index.ts';
import type { ClamdSession } from './session.ts';

/** Beyond every MaxRecursion that clamd accepts (100). */
const NESTING = 120;

/**
 * Asks clamd about an archive nested deeper than it ever looks. Unless its configuration says `AlertExceedsMax yes`
 * it calls clean what it has not looked at, so its word would be worth nothing.
 *
 * @throws {Fault} it calls the archive clean.
 */
export async function requireHonestLimits(session: ClamdSession): Promise<void> {
  const reply = await session.scan(pieces(nested()));
  if (reply.kind === 'limit') return;
  if (reply.kind === 'cut') throw new Fault('DG_CLAMD_UNAVAILABLE', 'UNAVAILABLE', 'clamd hung up');
  throw new Fault(
    'DG_CLAMD_CONFIGURATION',
    'UNAVAILABLE',
    'clamd calls clean what it has not looked at: set "AlertExceedsMax yes" in clamd.conf and restart it',
  );
}

function nested(): Buffer {
  let bytes: Buffer = Buffer.from('not a virus');
  for (let depth = 0; depth < NESTING; depth += 1) bytes = gzipSync(bytes);
  return bytes;
}

async function* pieces(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}
