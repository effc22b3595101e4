import { Readable } from 'node:stream';
import { newId } from '../base/index.ts';
import type { ByteRange, Digest } from '../oci/index.ts';
import { claimantOf, dropClaim, takeClaim } from './claims.ts';
import { ContentUnavailable } from './faults.ts';
import { sizeOf } from './files.ts';
import { followFill } from './followed-fill.ts';
import { type Fill, type FillParts, type FillSource, startFill } from './shared-fill.ts';
import type { Stored } from './stored.ts';
import { READ_BYTES } from './stream-of.ts';

type AskForFill = (digest: Digest, size: number, start: () => Promise<Readable>) => Promise<Fill>;

/** One fill at a time for each content in all processes of the node, however many ask for it (threat P-13). */
export function createFills(parts: FillParts, stored: Stored): AskForFill {
  const running = new Map<string, Promise<Fill>>();

  const join = (key: string, source: FillSource): Promise<Fill> => {
    const known = running.get(key);
    if (known) return known;
    const begun = beginFill(source, parts);
    running.set(key, begun);
    const forget = (): void => {
      running.delete(key);
    };
    begun.then((fill) => fill.done.then(forget, forget), forget);
    return begun;
  };

  return async (digest, size, start) => {
    // Published since the caller looked for it: the registry has been asked already.
    if ((await sizeOf(parts.places, digest)) === size) return storedFill(stored, digest, size);
    const key = `${digest} ${size}`;
    const isFirst = !running.has(key);
    const begun = join(key, { digest, size, start });
    // What one caller's repository refuses, another's may give. One more question for all of them together.
    return isFirst ? begun : begun.catch(() => join(key, { digest, size, start }));
  };
}

/** A fill of this process, or of another one that began before. */
async function beginFill(source: FillSource, parts: FillParts): Promise<Fill> {
  const { places } = parts;
  const other = await claimantOf(places, source);
  const followed = other && (await followFill(source, other, parts));
  if (followed) return followed;
  // It came to nothing, or there is none.
  if (other) await dropClaim(places, source, other);
  const own = { name: newId(parts.random), pid: process.pid };
  if (!(await takeClaim(places, source, own))) return afterOthers(source, parts);
  const release = () => dropClaim(places, source, own);
  try {
    const fill = await startFill(source, parts, own.name);
    const done = fill.done.finally(release);
    // Readers hear of a failure through their streams.
    done.catch(() => {});
    return { ...fill, done };
  } catch (error) {
    await release();
    throw error;
  }
}

/** Another process was quicker by a moment; where it gives nothing, or no claims can be made, each asks for itself. */
async function afterOthers(source: FillSource, parts: FillParts): Promise<Fill> {
  const other = await claimantOf(parts.places, source);
  return (other && (await followFill(source, other, parts))) ?? startFill(source, parts);
}

/** A fill that was over before it was asked for. */
function storedFill(stored: Stored, digest: Digest, size: number): Fill {
  return {
    size,
    done: Promise.resolve(),
    stream: (range) =>
      Readable.from(readStored(stored, digest, range), { objectMode: false, highWaterMark: READ_BYTES }),
  };
}

async function* readStored(stored: Stored, digest: Digest, range: ByteRange | undefined) {
  const opened = await stored.open(digest, range);
  if (!opened) throw new ContentUnavailable('removed since it was found');
  yield* opened.stream;
}
