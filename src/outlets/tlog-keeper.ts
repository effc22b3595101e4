import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Cosigner, findCosignature } from '../audit/index.ts';
import { replaceFileDurably } from '../base/index.ts';
import { createPoster, NotTaken, type PostTarget } from './http-post.ts';
import type { HeadNote, HeadSource, Keeper } from './witness.ts';

export interface TlogKeeperOptions extends PostTarget {
  /** The witness's key: its answer counts only with a cosignature by it. */
  readonly cosigner: Cosigner;
  /** Where the newest cosigned checkpoint is kept. */
  readonly path: string;
}

const CONFLICT = 409;
const UNPROCESSABLE = 422;

/**
 * A witness of C2SP tlog-witness. It checks itself that the log only grows, and cosigns; so it finds a rewritten
 * history by refusing it, before any auditor looks.
 */
export function createTlogKeeper(
  options: TlogKeeperOptions,
  source: Pick<HeadSource, 'printAddCheckpoint'>,
): Keeper {
  const poster = createPoster(options);
  const way = { url: `${options.url.replace(/\/+$/, '')}/add-checkpoint` };
  let known = 0;

  const add = async (head: HeadNote, signal: AbortSignal): Promise<string> => {
    const body = await source.printAddCheckpoint(head, known);
    return poster.post(body, { 'content-type': 'text/plain; charset=utf-8' }, signal, way);
  };

  return {
    async keep(head, signal) {
      const answer = await add(head, signal).catch(async (error: unknown) => {
        known = sizeKnownTo(error, { head, tried: known });
        return add(head, signal).catch((again: unknown) => {
          throw refusal(again);
        });
      });
      const cosigned = findCosignature(answer, head.note, options.cosigner);
      if (cosigned === undefined)
        throw new Error('the answer holds no cosignature by the key of the witness');
      await mkdir(dirname(options.path), { recursive: true, mode: 0o700 });
      await replaceFileDurably(options.path, `${head.note}${cosigned.line}\n`, 0o600);
      known = head.size;
    },
    close: () => poster.close(),
  };
}

/** The size of which the witness says that it knows it. @throws {Error} it refuses for another reason. */
function sizeKnownTo(
  error: unknown,
  { head, tried }: { readonly head: HeadNote; readonly tried: number },
): number {
  if (!(error instanceof NotTaken) || error.status !== CONFLICT) throw refusal(error);
  const size = Number(/^(0|[1-9]\d{0,15})\n$/.exec(error.body)?.[1] ?? Number.NaN);
  if (size > head.size) {
    throw new Error(
      `the witness has seen ${size} records and the log has ${head.size}: an older copy was put back`,
    );
  }
  if (Number.isNaN(size) || size === tried) throw otherHistory();
  return size;
}

function refusal(error: unknown): unknown {
  if (!(error instanceof NotTaken)) return error;
  return error.status === UNPROCESSABLE || error.status === CONFLICT ? otherHistory() : error;
}

function otherHistory(): Error {
  return new Error(
    'the witness has seen another history of this log: run: dockgate audit verify --against FILE',
  );
}
