import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { Attribute, Change, Client } from 'ldapts';
import type { ExternalDirectory } from '../../src/auth/index.ts';
import { silentLogger } from '../../src/base/index.ts';
import { createLdapDirectory, type LdapOptions } from '../../src/ldap/index.ts';
import { createTestCertificate } from '../support/certificates.ts';
import { LDAP_ADMIN, type Slapd, startSlapd } from '../support/slapd.ts';

const PASSWORD = 'correct-horse-battery-9';
const person = (uid: string, more = '') => `
dn: uid=${uid},ou=people,dc=test
objectClass: inetOrgPerson
uid: ${uid}
cn: ${uid}
sn: ${uid}
userPassword: ${PASSWORD}
${more}`;
const LDIF = `dn: dc=test
objectClass: domain
dc: test

dn: ou=people,dc=test
objectClass: organizationalUnit
ou: people

dn: ou=groups,dc=test
objectClass: organizationalUnit
ou: groups
${person('alice')}${person('bob')}${person('gone', 'employeeType: disabled\n')}
dn: ou=more,ou=people,dc=test
objectClass: organizationalUnit
ou: more

dn: uid=twin,ou=people,dc=test
objectClass: inetOrgPerson
uid: twin
cn: twin
sn: twin
userPassword: ${PASSWORD}

dn: uid=twin,ou=more,ou=people,dc=test
objectClass: inetOrgPerson
uid: twin
cn: twin
sn: twin
userPassword: ${PASSWORD}

dn: uid=elsewhere,ou=people,dc=test
objectClass: referral
objectClass: extensibleObject
uid: elsewhere
ref: ldap://127.0.0.1:1/uid=elsewhere,dc=test

dn: cn=crew,ou=groups,dc=test
objectClass: groupOfNames
cn: crew
member: uid=alice,ou=people,dc=test
member: uid=bob,ou=people,dc=test

dn: cn=leads,ou=groups,dc=test
objectClass: groupOfNames
cn: leads
member: uid=alice,ou=people,dc=test
`;

describe('an LDAP directory', function () {
  this.timeout(60_000);
  let slapd: Slapd;
  before(async () => {
    slapd = await startSlapd(LDIF);
  });
  after(() => slapd.stop());

  const open = (changed: Partial<LdapOptions> = {}): ExternalDirectory =>
    createLdapDirectory(
      {
        url: slapd.tlsUrl,
        ca: slapd.ca,
        bindDn: LDAP_ADMIN.dn,
        bindPassword: LDAP_ADMIN.password,
        userBase: 'ou=people,dc=test',
        userAttribute: 'uid',
        userFilter: '(&(objectClass=inetOrgPerson)(!(employeeType=disabled)))',
        subjectAttribute: 'entryUUID',
        groupBase: 'ou=groups,dc=test',
        groupAttribute: 'cn',
        memberAttribute: 'member',
        timeoutMs: 10_000,
        ...changed,
      },
      { logger: silentLogger },
    );

  it('proves a person by password, over LDAPS and over StartTLS, with a lasting name and groups', async () => {
    const byTls = await open().prove('alice', PASSWORD);
    const byStartTls = await open({ url: slapd.plainUrl }).prove('alice', PASSWORD);
    assert.match(byTls?.subject ?? '', /^[0-9a-f]{8}-/);
    assert.deepEqual(byTls?.groups.toSorted(), ['crew', 'leads']);
    assert.deepEqual(byStartTls, byTls);
    assert.deepEqual((await open().prove('bob', PASSWORD))?.groups, ['crew']);
    assert.deepEqual((await open({ groupBase: undefined }).prove('bob', PASSWORD))?.groups, []);
  });

  for (const [what, name, password] of [
    ['a wrong password', 'alice', 'wrong'],
    ['an empty password, with which a bind would succeed as nobody', 'alice', ''],
    ['a name that nobody has', 'nobody', PASSWORD],
    ['somebody whom the filter leaves out', 'gone', PASSWORD],
    ['a name that two entries have', 'twin', PASSWORD],
    ['a name that leads to another server', 'elsewhere', PASSWORD],
    ['a star', '*', PASSWORD],
    ['a filter that says more', 'alice)(uid=*', PASSWORD],
    ['a filter that says or', '*)(|(uid=*', PASSWORD],
    ['a NUL', 'alice\u0000', PASSWORD],
    ['a DN', 'uid=alice,ou=people,dc=test', PASSWORD],
    ['a backslash', 'al\\69ce', PASSWORD],
  ] as const) {
    it(`C-07: proves nothing by ${what}`, async () => {
      assert.equal(await open().prove(name, password), undefined);
    });
  }

  it('refuses a server whose certificate is of another authority, before anything is said', async () => {
    const ca = createTestCertificate().certificate;
    for (const url of [slapd.tlsUrl, slapd.plainUrl]) {
      await assert.rejects(open({ ca, url }).prove('alice', PASSWORD), /certificate|self-signed|issuer/i);
    }
  });

  it('refuses a server that offers no TLS, and tells it no password', async () => {
    const heard: Buffer[] = [];
    const server = createServer((socket) => {
      socket.on('data', (bytes) => {
        heard.push(Buffer.from(bytes));
        // "Protocol error" to message 1, an extended request.
        socket.write(Buffer.from('300c02010178070a010204000400', 'hex'));
      });
      socket.on('error', () => {});
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    try {
      await assert.rejects(open({ url: `ldap://127.0.0.1:${port}` }).prove('alice', PASSWORD));
      const said = Buffer.concat(heard).toString('latin1');
      assert.equal(said.includes(PASSWORD) || said.includes(LDAP_ADMIN.password), false);
    } finally {
      server.close();
    }
  });

  it('fails when the server does not answer, or not to who searches', async () => {
    await assert.rejects(open({ url: 'ldaps://127.0.0.1:1' }).prove('alice', PASSWORD));
    await assert.rejects(open({ bindPassword: 'wrong' }).prove('alice', PASSWORD));
    await assert.rejects(open({ subjectAttribute: 'mail' }).prove('alice', PASSWORD), /has no mail/);
    const silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const address = silent.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    try {
      await assert.rejects(open({ url: `ldap://127.0.0.1:${port}`, timeoutMs: 50 }).prove('alice', PASSWORD));
    } finally {
      silent.close();
    }
  });

  it('T-23: no longer says a group that somebody was taken out of', async () => {
    const admin = new Client({ url: slapd.tlsUrl, tlsOptions: { ca: slapd.ca } });
    await admin.bind(LDAP_ADMIN.dn, LDAP_ADMIN.password);
    await admin.modify('cn=crew,ou=groups,dc=test', [
      new Change({
        operation: 'delete',
        modification: new Attribute({ type: 'member', values: ['uid=bob,ou=people,dc=test'] }),
      }),
    ]);
    await admin.unbind();
    assert.deepEqual((await open().prove('bob', PASSWORD))?.groups, []);
  });
});
