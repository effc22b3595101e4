import { readdir, readFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { createSeal } from '../auth/index.ts';
import { createFileDurably, type Random, StartError } from '../base/index.ts';
import type { Replicas } from '../store/index.ts';
import type { Paths } from './paths.ts';
import { readSharedKey } from './shared-keys.ts';

const TOKEN_KEY = /^token-\d{1,16}\.pem$/;
const TOKENS = 'tokens/';

/**
 * Gives replicas the same keys: tokens, upload sessions, TLS sessions and verdicts in Redis of one count for all. The keys lie in SQL,
 * sealed by `secrets.key`, which never does: the operator copies it to each replica. What lies there first is what
 * counts; a replica that comes later puts it in the place of its own.
 *
 * Called in turn, before any process of this node reads a key.
 *
 * @throws {StartError} `secrets.key` is not the one of the other replicas.
 */
export async function shareKeys(
  paths: Paths,
  keys: Replicas['keys'],
  { random }: { readonly random: Random },
): Promise<void> {
  const seal = createSeal(await readSharedKey(paths.secretsKey), { random });
  const shared = await keys.list();
  const names = [...shared.keys()];
  const own = [
    ...[paths.sessionKey, paths.cacheKey, paths.ticketKeys].map((path) => ({ name: basename(path), path })),
    ...(await filesOf(paths.tokenKeys)).map((name) => ({
      name: TOKENS + name,
      path: join(paths.tokenKeys, name),
    })),
  ];
  const hasTokens = names.some((name) => name.startsWith(TOKENS));
  for (const { name, path } of own) {
    if (shared.has(name)) continue;
    // Nobody holds a token that a key signed which this replica made a moment ago for itself.
    if (name.startsWith(TOKENS) && hasTokens) await rm(path);
    else await keys.add(name, seal.close(await readFile(path, 'utf8'), name));
  }
  for (const [name, sealed] of shared) {
    const text = opened(() => seal.open(sealed, name), paths);
    const path = name.startsWith(TOKENS)
      ? join(paths.tokenKeys, basename(name))
      : join(paths.keys, basename(name));
    if ((await readFile(path, 'utf8').catch(() => undefined)) === text) continue;
    await rm(path, { force: true });
    await createFileDurably(path, text, 0o600);
  }
}

async function filesOf(directory: string): Promise<readonly string[]> {
  return (await readdir(directory)).filter((name) => TOKEN_KEY.test(name)).toSorted();
}

function opened(open: () => string, { secretsKey }: Paths): string {
  try {
    return open();
  } catch {
    throw new StartError(
      `${secretsKey} is not the key of the other replicas of this database: copy theirs over it, then start again`,
    );
  }
}
