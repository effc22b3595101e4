import { resolve } from 'node:path';
import { readPublicFile } from './files.ts';
import type { Settings } from './schema.ts';
import type { KeyPath } from './tree.ts';

/** Whose signatures count: what the files hold, unread. */
export interface TrustConfig {
  readonly keys: readonly {
    readonly name: string;
    readonly pem: string;
    /** Names the key in an error: the setting and the file. */
    readonly where: string;
    readonly isRevoked: boolean;
    readonly untilMs: number | undefined;
  }[];
  readonly identities: readonly {
    readonly name: string;
    readonly issuer: string;
    readonly subject: string;
  }[];
  readonly root: { readonly json: string; readonly where: string } | undefined;
}

type TrustSettings = Settings['trust'];

/** What policies may call somebody. */
export function trustedNames({
  keys,
  identities,
}: {
  readonly [Kind in 'keys' | 'identities']: readonly { readonly name: string }[];
}): readonly string[] {
  return [...keys, ...identities].map(({ name }) => name);
}

/** A name that stands for two signers, and identities that nothing could ever confirm. */
export function trustProblems({
  keys,
  identities,
  rootFile,
}: TrustSettings): readonly { readonly path: KeyPath; readonly message: string }[] {
  const names = trustedNames({ keys, identities });
  const taken = names.find((name, index) => names.indexOf(name) !== index);
  return [
    ...(taken === undefined ? [] : [{ path: ['trust'], message: `two signers have the name ${taken}` }]),
    ...(identities.length > 0 && rootFile === undefined
      ? [{ path: ['trust', 'rootFile'], message: 'is missing: identities are confirmed by nothing else' }]
      : []),
  ];
}

/** @throws {StartError} a file cannot be read. */
export async function toTrust(
  { keys, identities, rootFile }: TrustSettings,
  directory: string,
  where: (path: KeyPath) => string,
): Promise<TrustConfig> {
  return {
    keys: await Promise.all(
      keys.map(async ({ name, file, revoked, until }, index) => {
        const path = resolve(directory, file);
        const origin = where(['trust', 'keys', index, 'file']);
        return {
          name,
          pem: await readPublicFile(path, origin),
          where: `${origin}: ${path}`,
          isRevoked: revoked,
          untilMs: until === undefined ? undefined : Date.parse(until),
        };
      }),
    ),
    identities,
    root: rootFile === undefined ? undefined : await readRoot(resolve(directory, rootFile), where),
  };
}

async function readRoot(path: string, where: (path: KeyPath) => string) {
  const origin = where(['trust', 'rootFile']);
  return { json: await readPublicFile(path, origin), where: `${origin}: ${path}` };
}
