import { type Clock, type Logger, MINUTE_MS, type Random, SECOND_MS } from '../base/index.ts';
import { type Digest, parseDigest } from '../oci/index.ts';
import type { Content } from './content.ts';
import type { Inventory } from './ports.ts';
import { verifyFiles } from './verify.ts';

export interface ScrubOptions {
  /** Bytes that are read a second, on average; 0: nothing is. */
  readonly bytesPerSecond: number;
  /** Milliseconds between two turns; one minute unless told. */
  readonly everyMs?: number;
}

export interface ScrubParts {
  readonly content: Pick<Content, 'list' | 'find' | 'verify'>;
  readonly inventory: Pick<Inventory, 'listHeld' | 'holdersOf'>;
  /** Called for each content that was damaged and is removed. */
  readonly onDamaged: () => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface Scrub {
  /** Reads what one turn may. */
  turn(): Promise<void>;
  /** Resolves when the turn under way has ended. */
  stop(): Promise<void>;
}

/**
 * Hashes all stored content again and again, slowly, so that bits that rot are found before somebody wants them. What is
 * damaged is removed: it is never served, and what a registry behind us holds comes again at the next pull. What only we
 * hold is lost, which is said as loudly as we can.
 *
 * It begins anywhere, so that a node that is often started does not look at the same files each time.
 */
export function startScrub({ bytesPerSecond, everyMs = MINUTE_MS }: ScrubOptions, parts: ScrubParts): Scrub {
  const { logger, onDamaged } = parts;
  let after: Digest | undefined = parseDigest(
    `sha256:${Buffer.from(parts.random.bytes(32)).toString('hex')}`,
  );
  /** What was read too much: a file is read whole, however large. */
  let debtBytes = 0;
  let isStopping = false;
  let running: Promise<void> = Promise.resolve();

  async function turn(): Promise<void> {
    const mayBytes = bytesPerSecond * (everyMs / SECOND_MS) - debtBytes;
    debtBytes = Math.max(0, -mayBytes);
    if (bytesPerSecond === 0 || mayBytes <= 0) return;
    let readBytes = 0;
    const content: typeof parts.content = {
      ...parts.content,
      async verify(digest) {
        readBytes += (await parts.content.find(digest))?.size ?? 0;
        return parts.content.verify(digest);
      },
    };
    const isOver = () => isStopping || readBytes >= mayBytes;
    const { flaws, next } = await verifyFiles({ ...(after ? { after } : {}), isOver }, { ...parts, content });
    after = next;
    debtBytes = Math.max(0, readBytes - mayBytes);
    for (const { digest, holders } of flaws) {
      onDamaged();
      const own = holders.find(({ owner }) => owner !== 'cached');
      if (!own) logger.warn('damaged content is removed and comes again when it is asked for', { digest });
      else logger.error('content is damaged and lost: push it again', { digest, repository: own.repository });
    }
  }

  const timer = setInterval(() => {
    running = running.then(turn).catch((error: unknown) => {
      logger.error('stored content could not be looked at; the next try is in a minute', {}, error);
    });
  }, everyMs).unref();
  return {
    turn,
    stop() {
      isStopping = true;
      clearInterval(timer);
      return running;
    },
  };
}
