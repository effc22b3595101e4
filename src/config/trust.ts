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
  readonly stores: readonly {
    readonly name: string;
    readonly type: 'ca' | 'signingAuthority';
    readonly pem: string;
    readonly crlPem: string | undefined;
    readonly where: string;
  }[];
  readonly notation: readonly {
    readonly name: string;
    readonly trustStores: readonly string[];
    readonly trustedIdentities: readonly string[];
    readonly where: string;
  }[];
  readonly root: { readonly json: string; readonly where: string } | undefined;
}

type TrustSettings = Settings['trust'];

/** What policies may call somebody. */
export function trustedNames({
  keys,
  identities,
  notation,
}: {
  readonly [Kind in 'keys' | 'identities' | 'notation']: readonly { readonly name: string }[];
}): readonly string[] {
  return [...keys, ...identities, ...notation].map(({ name }) => name);
}

/** A name that stands for two signers or stores, and signers that nothing could ever confirm. */
export function trustProblems(
  settings: TrustSettings,
): readonly { readonly path: KeyPath; readonly message: string }[] {
  const { identities, rootFile, stores, notation } = settings;
  const taken = twice(trustedNames(settings));
  const store = twice(stores.map(({ type, name }) => `${type}:${name}`));
  const empty = notation.findIndex((one) => one.trustStores.length * one.trustedIdentities.length === 0);
  return [
    ...(store === undefined
      ? []
      : [{ path: ['trust', 'stores'], message: `two stores have the name ${store}` }]),
    ...(empty < 0
      ? []
      : [{ path: ['trust', 'notation', empty], message: 'needs a trust store and an identity: "*" is any' }]),
    ...(taken === undefined ? [] : [{ path: ['trust'], message: `two signers have the name ${taken}` }]),
    ...(identities.length > 0 && rootFile === undefined
      ? [{ path: ['trust', 'rootFile'], message: 'is missing: identities are confirmed by nothing else' }]
      : []),
  ];
}

function twice(names: readonly string[]): string | undefined {
  return names.find((name, index) => names.indexOf(name) !== index);
}

/** @throws {StartError} a file cannot be read. */
export async function toTrust(
  { keys, identities, stores, notation, rootFile }: TrustSettings,
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
    stores: await Promise.all(
      stores.map(async ({ name, type, file, crlFile }, index) => {
        const at = (key: string) => where(['trust', 'stores', index, key]);
        const pem = await readPublicFile(resolve(directory, file), at('file'));
        const crlPem = crlFile && (await readPublicFile(resolve(directory, crlFile), at('crlFile')));
        return { name, type, pem, crlPem, where: where(['trust', 'stores', index]) };
      }),
    ),
    notation: notation.map((one, index) => ({ ...one, where: where(['trust', 'notation', index]) })),
    root: rootFile === undefined ? undefined : await readRoot(resolve(directory, rootFile), where),
  };
}

async function readRoot(path: string, where: (path: KeyPath) => string) {
  const origin = where(['trust', 'rootFile']);
  return { json: await readPublicFile(path, origin), where: `${origin}: ${path}` };
}
