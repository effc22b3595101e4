import { execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createTestCertificate } from './certificates.ts';
import { freePort } from './free-port.ts';
import { listens } from './listens.ts';
import { until } from './until.ts';

const SLAPD = '/usr/sbin/slapd';
const run = promisify(execFile);
/** Waiting for a server that was asked to end. */
const ENVIRONMENT = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
export const LDAP_ADMIN = { dn: 'cn=admin,dc=test', password: 'admin-secret' };

export type Slapd = Awaited<ReturnType<typeof startSlapd>>;

/** Debian's OpenLDAP server over a folder of its own, with TLS by an authority of its own. */
export async function startSlapd(ldif: string) {
  const folder = mkdtempSync(join(tmpdir(), 'dockgate-slapd-'));
  const authority = createTestCertificate();
  const server = createTestCertificate({ issuer: authority });
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  mkdirSync(join(folder, 'data'));
  const config = file(
    'slapd.conf',
    [
      ...['core', 'cosine', 'inetorgperson'].map((schema) => `include /etc/ldap/schema/${schema}.schema`),
      'modulepath /usr/lib/ldap',
      'moduleload back_mdb',
      `pidfile ${join(folder, 'pid')}`,
      `TLSCACertificateFile ${file('ca.crt', authority.certificate)}`,
      `TLSCertificateFile ${file('server.crt', server.certificate)}`,
      `TLSCertificateKeyFile ${file('server.key', server.key)}`,
      // An anonymous or empty bind is allowed, as in many directories: it must prove nothing to us.
      'allow bind_anon_cred bind_anon_dn',
      'database mdb',
      'suffix "dc=test"',
      `rootdn "${LDAP_ADMIN.dn}"`,
      `rootpw ${LDAP_ADMIN.password}`,
      `directory ${join(folder, 'data')}`,
      '',
    ].join('\n'),
  );
  await run('slapadd', ['-f', config, '-l', file('people.ldif', ldif)], { env: ENVIRONMENT });
  const [plain, tls] = [await freePort(), await freePort()];
  const urls = `ldap://127.0.0.1:${plain} ldaps://127.0.0.1:${tls}`;
  const child = spawn(SLAPD, ['-f', config, '-h', urls, '-d', '0'], { stdio: 'ignore', env: ENVIRONMENT });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  await until(() => listens(tls), 'slapd answers');
  return {
    ca: authority.certificate,
    plainUrl: `ldap://127.0.0.1:${plain}`,
    tlsUrl: `ldaps://127.0.0.1:${tls}`,
    async stop() {
      child.kill();
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
