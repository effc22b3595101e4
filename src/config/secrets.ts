import { resolve } from 'node:path';
import { readSecretFile } from './files.ts';
import { type KeyPath, printPath, type Tree } from './tree.ts';

/** Something wrong with the values, and where. */
export interface Problem {
  readonly path: KeyPath;
  readonly message: string;
  /** The key itself is wrong, not its value. */
  readonly isKey?: boolean;
}

/** A secret is given as it is or as a file, not both. */
export function exclusive<Key extends string>(
  settings: { readonly [key in Key | `${Key}File`]?: string | undefined },
  path: KeyPath,
  key: Key,
): Problem[] {
  const file = `${key}File` as const;
  if (settings[key] === undefined || settings[file] === undefined) return [];
  return [{ path: [...path, file], message: `given beside ${key}: leave one of the two away` }];
}

/** Reads secrets, from files too, and says where each was given. */
export type Secrets = ReturnType<typeof createSecrets>;

export function createSecrets(tree: Tree, directory: string) {
  return {
    async read<Key extends string>(
      settings: { readonly [key in Key | `${Key}File`]?: string | undefined },
      path: KeyPath,
      key: Key,
    ): Promise<string | undefined> {
      const file = settings[`${key}File`];
      if (file === undefined) return settings[key];
      const where = [...path, `${key}File`];
      return readSecretFile(resolve(directory, file), `${tree.originOf(where)}: ${printPath(where)}`);
    },
    where: (path: KeyPath) => `${tree.originOf(path)}: ${printPath(path)}`,
  };
}
