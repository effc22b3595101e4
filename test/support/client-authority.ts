import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Dockgate } from './dockgate.ts';
import { run } from './run.ts';

/** A certificate and its key, as files. */
export interface ClientCertificate {
  readonly certificate: string;
  readonly key: string;
}

/** An authority that issues and revokes client certificates, by the openssl command. */
export interface ClientAuthority {
  readonly caFile: string;
  readonly crlFile: string;
  issue(
    commonName: string,
    options?: { readonly purpose?: string; readonly name?: string; readonly end?: string },
  ): ClientCertificate;
  revoke(certificate: ClientCertificate): void;
  /** Writes the list of what was revoked. */
  publish(days?: number): void;
  remove(): void;
}

const CONFIG = `[ca]
default_ca = d
[d]
dir = .
database = index.txt
new_certs_dir = .
certificate = ca.crt
private_key = ca.key
serial = serial
crlnumber = crlnumber
default_md = sha256
default_days = 30
default_crl_days = 30
policy = p
unique_subject = no
copy_extensions = none
[p]
commonName = supplied
organizationName = optional
[req]
distinguished_name = dn
[dn]
`;

export function createClientAuthority(authorityName = 'clients'): ClientAuthority {
  const directory = mkdtempSync(join(tmpdir(), 'authority-'));
  const openssl = (...args: string[]) =>
    execFileSync('openssl', args, { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] });
  const file = (name: string) => join(directory, name);
  writeFileSync(file('openssl.cnf'), CONFIG);
  writeFileSync(file('index.txt'), '');
  writeFileSync(file('serial'), '1001\n');
  writeFileSync(file('crlnumber'), '01\n');
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-config', 'openssl.cnf'];
  openssl(
    ...[
      'req',
      '-x509',
      ...newKey,
      '-subj',
      `/CN=${authorityName}`,
      '-days',
      '30',
      '-keyout',
      'ca.key',
      '-out',
      'ca.crt',
    ],
    ...['-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=keyCertSign,cRLSign'],
  );
  let count = 0;
  const authority: ClientAuthority = {
    caFile: file('ca.crt'),
    crlFile: file('crl.pem'),
    issue(commonName, { purpose = 'clientAuth', name = 'URI:spiffe://corp/x', end } = {}) {
      count += 1;
      const [key, request, certificate] = ['key', 'csr', 'crt'].map((kind) => `client-${count}.${kind}`);
      if (!key || !request || !certificate) throw new Error('three names');
      openssl('req', ...newKey, '-subj', `/O=corp/CN=${commonName}`, '-keyout', key, '-out', request);
      writeFileSync(
        file('extensions'),
        `${purpose === '' ? '' : `extendedKeyUsage=${purpose}\n`}subjectAltName=${name}\n`,
      );
      openssl(
        ...['ca', '-batch', '-config', 'openssl.cnf', '-in', request, '-out', certificate, '-notext'],
        ...['-extfile', 'extensions', '-preserveDN'],
        ...(end === undefined ? [] : ['-startdate', '20200101000000Z', '-enddate', end]),
      );
      return { certificate: file(certificate), key: file(key) };
    },
    revoke({ certificate }) {
      openssl('ca', '-config', 'openssl.cnf', '-revoke', certificate);
    },
    publish(days = 30) {
      const due =
        days < 0 ? ['-crl_lastupdate', '20200101000000Z', '-crl_nextupdate', '20200102000000Z'] : [];
      openssl('ca', '-config', 'openssl.cnf', '-gencrl', ...due, '-out', 'crl.pem');
    },
    remove: () => rmSync(directory, { recursive: true }),
  };
  authority.publish();
  return authority;
}

/** With curl: the status, and what is printed. */
export async function curlWith(
  server: Dockgate,
  shown: ClientCertificate | undefined,
  ...args: readonly string[]
) {
  const certificate = shown ? ['--cert', shown.certificate, '--key', shown.key] : [];
  const all = ['-sS', '--cacert', server.caPath, ...certificate, '-w', '\n%{http_code}', ...args];
  const { output } = await run('curl', [...all, `${server.url}/v2/`]);
  return { status: Number(output.trim().slice(-3)), text: output };
}
