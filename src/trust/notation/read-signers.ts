import { StartError } from '../../base/index.ts';
import { type Certificate, readCertificate } from './certificate.ts';
import { readRevocationLists } from './revocation-list.ts';
import { readSubjectName } from './subject-name.ts';
import type { NotationSigner, TrustStore } from './types.ts';

/** Stores and signers as the configuration names them; `where` names a setting in an error. */
export interface NotationOptions {
  readonly stores: readonly {
    readonly name: string;
    readonly type: TrustStore['type'];
    readonly pem: string;
    readonly crlPem: string | undefined;
    readonly where: string;
  }[];
  readonly notation: readonly {
    readonly name: string;
    /** Each `TYPE:NAME`. */
    readonly trustStores: readonly string[];
    readonly trustedIdentities: readonly string[];
    readonly where: string;
  }[];
}

const PEM = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;

/** @throws {StartError} a file, a name or a reference cannot be used; says which and what to give instead. */
export function readNotationSigners({ stores, notation }: NotationOptions): readonly NotationSigner[] {
  const read = new Map(
    stores.map(({ name, type, pem, crlPem, where }) => [
      `${type}:${name}`,
      {
        type,
        certificates: readAuthorities(pem, where),
        revocations: crlPem === undefined ? undefined : readRevocationLists(crlPem, where),
      },
    ]),
  );
  return notation.map(({ name, trustStores, trustedIdentities, where }) => ({
    name,
    stores: trustStores.map((reference) => {
      const store = read.get(reference);
      if (store) return store;
      throw new StartError(`${where}: there is no trust store ${reference}: add it to trust.stores`);
    }),
    subjects: trustedIdentities.map((one) => readSubjectName(one, where)),
  }));
}

function readAuthorities(pem: string, where: string): readonly Certificate[] {
  const found = [...pem.matchAll(PEM)].map(([text]) => readAuthority(text, where));
  if (found.length === 0) throw new StartError(`${where} holds no certificate in PEM ("BEGIN CERTIFICATE")`);
  return found;
}

/** An authority, or somebody who vouches for themselves; any other could not be followed to a root. */
function readAuthority(pem: string, where: string): Certificate {
  const certificate = read(pem, where);
  if (certificate.basicConstraints?.isCa || certificate.subject.equals(certificate.issuer))
    return certificate;
  throw new StartError(`${where} holds a certificate of no authority: give the root certificate`);
}

function read(pem: string, where: string): Certificate {
  try {
    return readCertificate(pem);
  } catch {
    throw new StartError(`${where} holds a certificate that cannot be read`);
  }
}
