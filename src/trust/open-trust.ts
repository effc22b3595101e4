import { TrustedRoot } from '@sigstore/protobuf-specs';
import { toTrustMaterial } from '@sigstore/verify';
import { StartError } from '../base/index.ts';
import { type NotationOptions, readNotationSigners } from './notation/index.ts';
import { readTrustedKey } from './trusted-key.ts';
import type { Trust, TrustedIdentity } from './types.ts';

/** Signers as the configuration names them. */
export interface TrustOptions extends NotationOptions {
  readonly keys: readonly {
    readonly name: string;
    readonly pem: string;
    readonly where: string;
    readonly isRevoked: boolean;
    readonly untilMs: number | undefined;
  }[];
  readonly identities: readonly TrustedIdentity[];
  readonly root: { readonly json: string; readonly where: string } | undefined;
}

/** @throws {StartError} a key or the root cannot be used; says which and what to give instead. */
export function readTrust({ keys, identities, root, stores, notation }: TrustOptions): Trust {
  return {
    keys: keys.map(({ name, pem, where, isRevoked, untilMs }) => ({
      name,
      key: readTrustedKey(pem, where),
      isRevoked,
      ...(untilMs === undefined ? {} : { untilMs }),
    })),
    identities,
    notation: readNotationSigners({ stores, notation }),
    ...(root ? { root: readRoot(root.json, root.where) } : {}),
  };
}

function readRoot(json: string, where: string): NonNullable<Trust['root']> {
  try {
    return toTrustMaterial(TrustedRoot.fromJSON(JSON.parse(json)));
  } catch {
    throw new StartError(`${where} is no trusted root: give the trusted_root.json of your sigstore instance`);
  }
}
