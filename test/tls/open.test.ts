import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { chmod, copyFile, mkdtemp, rename, rm, symlink, utimes } from 'node:fs/promises';
import { createServer } from 'node:https';
import { type AddressInfo, isIP } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import {
  createManualClock,
  DAY_MS,
  type Logger,
  StartError,
  silentLogger,
  systemRandom,
} from '../../src/base/index.ts';
import { openTls, type Tls } from '../../src/tls/index.ts';

const run = promisify(execFile);
const NAMES = ['localhost', '127.0.0.1', '::1', 'reg.corp'];
/** Today, since OpenSSL's own clock cannot be moved; certificates count whole seconds. */
const START_MS = Math.floor(Date.now() / 1000) * 1000;

describe('the certificates', () => {
  let directory: string;
  const opened: Tls[] = [];
  const clock = createManualClock(START_MS);

  beforeEach(async () => {
    clock.set(START_MS);
    directory = await mkdtemp(join(tmpdir(), 'dockgate-tls-'));
  });
  afterEach(async () => {
    for (const tls of opened.splice(0)) tls.close();
    await rm(directory, { recursive: true });
  });

  const at = (name: string) => join(directory, name);
  const read = (name: string) => readFileSync(at(name), 'utf8');
  const certificate = (name: string) => new X509Certificate(read(name));
  const open = async (names = NAMES, mayIssue = true, logger: Logger = silentLogger) => {
    const tls = await openTls({ directory, names, mayIssue }, { clock, random: systemRandom, logger });
    opened.push(tls);
    return tls;
  };
  const refusesToOpen = (message: RegExp, names = NAMES) =>
    assert.rejects(open(names), (error) => {
      assert.ok(error instanceof StartError, String(error));
      assert.match(error.message, message);
      return true;
    });

  describe('at the first start', () => {
    it('are a CA and a server certificate that openssl accepts for every name', async () => {
      await open();
      for (const name of NAMES) {
        const host = isIP(name) === 0 ? ['-verify_hostname', name] : ['-verify_ip', name];
        const { stdout } = await run('openssl', [
          'verify',
          '-x509_strict',
          ...['-purpose', 'sslserver', '-attime', String(START_MS / 1000)],
          ...host,
          ...['-CAfile', at('ca.crt'), at('server.crt')],
        ]);
        assert.match(stdout, /OK/);
      }
    });

    it('have the extensions of RFC 5280 and no right to sign others', async () => {
      await open();
      const ca = certificate('ca.crt');
      const leaf = certificate('server.crt');
      assert.equal(ca.ca, true);
      assert.equal(leaf.ca, false);
      assert.ok(leaf.checkIssued(ca) && leaf.verify(ca.publicKey) && ca.verify(ca.publicKey));
      assert.deepEqual(leaf.keyUsage, ['1.3.6.1.5.5.7.3.1']);
      const { stdout } = await run('openssl', [
        'x509',
        '-in',
        at('ca.crt'),
        '-noout',
        '-ext',
        'basicConstraints,keyUsage',
      ]);
      assert.match(stdout, /Basic Constraints: critical\s+CA:TRUE, pathlen:0/);
      assert.match(stdout, /Key Usage: critical\s+Certificate Sign, CRL Sign/);
      const other = await run('openssl', [
        'x509',
        '-in',
        at('server.crt'),
        '-noout',
        '-ext',
        'basicConstraints,keyUsage',
      ]);
      assert.match(other.stdout, /Basic Constraints: critical\s+CA:FALSE/);
      assert.match(other.stdout, /Key Usage: critical\s+Digital Signature/);
    });

    it('have serial numbers of 16 bytes that never repeat', async () => {
      await open();
      assert.equal(certificate('ca.crt').serialNumber.length, 32);
      assert.equal(certificate('server.crt').serialNumber.length, 32);
      assert.notEqual(certificate('ca.crt').serialNumber, certificate('server.crt').serialNumber);
    });

    it('live 10 years (CA) and 90 days (server), and hold from an hour ago', async () => {
      await open();
      const life = (name: string) => {
        const { validFromDate, validToDate } = certificate(name);
        return [validFromDate.getTime() - START_MS, validToDate.getTime() - START_MS];
      };
      assert.deepEqual(life('ca.crt'), [-3_600_000, 3650 * DAY_MS]);
      assert.deepEqual(life('server.crt'), [-3_600_000, 90 * DAY_MS]);
    });

    it('S-01: keep keys to their owner whatever the umask is', async () => {
      const before = process.umask(0);
      try {
        await open();
      } finally {
        process.umask(before);
      }
      const modes = readdirSync(directory).map((name) => [name, lstatSync(at(name)).mode & 0o777]);
      assert.deepEqual(Object.fromEntries(modes), {
        'ca.crt': 0o644,
        'ca.key': 0o600,
        'server.crt': 0o644,
        'server.key': 0o600,
      });
    });

    it('are served to a client that trusts the CA and checks the name', async () => {
      const tls = await open();
      const answered = await handshake(tls, { servername: 'reg.corp', ca: read('ca.crt') });
      assert.equal(answered.protocol, 'TLSv1.3');
      assert.equal(answered.alpn, 'http/1.1');
    });

    it('come as one pair when two processes start at once', async () => {
      const both = await Promise.all([open(), open(), open()]);
      const ca = certificate('ca.crt');
      for (const tls of both) {
        const leaf = new X509Certificate(tls.context().cert);
        assert.ok(leaf.verify(ca.publicKey));
      }
      assert.ok(certificate('server.crt').verify(ca.publicKey));
      await open();
    });
  });

  it('refuse TLS 1.1 and HTTP/2 (H-24, H-30)', async () => {
    const tls = await open();
    const options = { servername: 'reg.corp', ca: read('ca.crt') };
    await assert.rejects(
      handshake(tls, {
        ...options,
        maxVersion: 'TLSv1.1',
        minVersion: 'TLSv1',
        ciphers: 'DEFAULT@SECLEVEL=0',
      }),
    );
    await assert.rejects(handshake(tls, { ...options, ALPNProtocols: ['h2'] }), /no application protocol/i);
    assert.equal((await handshake(tls, { ...options, ALPNProtocols: ['h2', 'http/1.1'] })).alpn, 'http/1.1');
    const old = await handshake(tls, { ...options, maxVersion: 'TLSv1.2' });
    assert.equal(old.protocol, 'TLSv1.2');
  });

  describe('S-03: after a kill between two steps', () => {
    const steps = ['ca.key', 'ca.crt', 'server.key', 'server.crt'];
    for (let done = 1; done < steps.length; done += 1) {
      it(`are completed when only ${steps.slice(0, done).join(', ')} had been written`, async () => {
        await open();
        for (const lost of steps.slice(done)) await rm(at(lost));
        const kept = steps.slice(0, done).map((name) => read(name));
        await open();
        assert.deepEqual(steps.slice(0, done).map(read), kept);
        assert.ok(certificate('server.crt').verify(certificate('ca.crt').publicKey));
        assert.ok(readdirSync(directory).length === 4);
      });
    }

    it('leave no half-written file for ever, and do not touch one that is being written', async () => {
      const name = (letter: string) => `.ca.key.${letter.repeat(26)}.tmp`;
      writeFileSync(at(name('a')), 'old');
      writeFileSync(at(name('b')), 'young');
      const longAgo = new Date(START_MS - DAY_MS);
      await utimes(at(name('a')), longAgo, longAgo);
      await utimes(at(name('b')), new Date(START_MS), new Date(START_MS));
      await open();
      assert.equal(existsSync(at(name('a'))), false);
      assert.equal(existsSync(at(name('b'))), true);
    });

    it('come back for the same CA when its certificate alone was lost', async () => {
      await open();
      const before = certificate('server.crt');
      await rm(at('ca.crt'));
      await open();
      assert.ok(before.checkIssued(certificate('ca.crt')) && before.verify(certificate('ca.crt').publicKey));
    });
  });

  describe('S-02: a start is refused, and nothing is overwritten, when', () => {
    const cases: readonly [string, string, () => void | Promise<void>, RegExp][] = [
      [
        'the CA key is garbage',
        'ca.key',
        () => writeFileSync(at('ca.key'), 'x'),
        /ca\.key is not a private key/,
      ],
      [
        'the server key is cut',
        'server.key',
        () => writeFileSync(at('server.key'), read('server.key').slice(0, 90)),
        /server\.key is not a private key/,
      ],
      ['the CA key is empty', 'ca.key', () => writeFileSync(at('ca.key'), ''), /ca\.key is empty/],
      [
        'the CA key may be read by the group',
        'ca.key',
        () => chmod(at('ca.key'), 0o640),
        /ca\.key may be read by others \(mode 0640\): chmod 600/,
      ],
      [
        'the server key may be read by all',
        'server.key',
        () => chmod(at('server.key'), 0o604),
        /server\.key may be read by others/,
      ],
      [
        'the CA key is a public key',
        'ca.key',
        () => writeFileSync(at('ca.key'), pemOf('public')),
        /ca\.key is not a plain private key/,
      ],
      [
        'the CA key is encrypted',
        'ca.key',
        () => writeFileSync(at('ca.key'), pemOf('encrypted')),
        /ca\.key is not a plain private key/,
      ],
      [
        'the server key is RSA 1024',
        'server.key',
        () => writeFileSync(at('server.key'), rsaPem(1024)),
        /server\.key holds a key that is not used for TLS/,
      ],
      [
        'the CA key is RSA',
        'ca.key',
        async () => {
          writeFileSync(at('ca.key'), rsaPem(2048));
          await rm(at('server.crt'));
          await rm(at('server.key'));
        },
        /ca\.key is not a P-256 key/,
      ],
      [
        'the CA key belongs to another certificate',
        'ca.key',
        async () => {
          writeFileSync(at('ca.key'), pemOf('private'));
          await rm(at('server.crt'));
        },
        /ca\.crt and .*ca\.key do not belong together/,
      ],
      [
        'the server key belongs to another certificate',
        'server.key',
        () => writeFileSync(at('server.key'), pemOf('private')),
        /server\.crt and .*server\.key do not belong together/,
      ],
      ['the server key is missing', 'server.crt', () => rm(at('server.key')), /server\.key is missing/],
      [
        'the server certificate is garbage',
        'server.crt',
        () => writeFileSync(at('server.crt'), 'hello'),
        /server\.crt holds no readable certificate/,
      ],
      [
        'the CA certificate is garbage',
        'ca.crt',
        async () => {
          writeFileSync(at('ca.crt'), '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
        },
        /ca\.crt holds no readable certificate/,
      ],
      [
        'the CA key is missing and a certificate is to be issued',
        'ca.crt',
        async () => {
          await rm(at('ca.key'));
          await rm(at('server.crt'));
          await rm(at('server.key'));
        },
        /ca\.key is missing, .* every client must then trust anew/,
      ],
      [
        'a server key lies there alone',
        'server.key',
        async () => {
          for (const name of ['ca.key', 'ca.crt', 'server.crt']) await rm(at(name));
        },
        /server\.crt is missing, .*server\.key is there/,
      ],
    ];
    for (const [title, kept, damage, message] of cases) {
      it(title, async () => {
        await open();
        await damage();
        const before = read(kept);
        await refusesToOpen(message);
        assert.equal(read(kept), before);
      });
    }

    it('a key is a link out of the directory, or to nothing', async () => {
      await open();
      const elsewhere = await mkdtemp(join(tmpdir(), 'dockgate-elsewhere-'));
      try {
        await rename(at('ca.key'), join(elsewhere, 'ca.key'));
        await symlink(join(elsewhere, 'ca.key'), at('ca.key'));
        await refusesToOpen(/ca\.key is a link out of its directory/);
        await rm(join(elsewhere, 'ca.key'));
        await refusesToOpen(/ca\.key cannot be read/);
      } finally {
        await rm(elsewhere, { recursive: true });
      }
    });

    it('a key is a directory', async () => {
      mkdirSync(at('ca.key'), { mode: 0o700 });
      await refusesToOpen(/ca\.key is not a regular file/);
    });

    it('the directory cannot be made', async () => {
      writeFileSync(at('file'), '');
      const tls = openTls(
        { directory: at('file/certs'), names: NAMES, mayIssue: true },
        { clock, random: systemRandom, logger: silentLogger },
      );
      await assert.rejects(tls, /directory of certificates .* cannot be used/);
    });

    it('it may not issue and there is no certificate', async () => {
      await assert.rejects(open(NAMES, false), /server\.crt is missing/);
    });

    it('the CA has expired', async () => {
      await open();
      clock.advance(3651 * DAY_MS);
      await refusesToOpen(/ca\.crt expired on \d{4}-/);
    });
  });

  it('accept keys that are mounted as links into a hidden folder beside them', async () => {
    await open();
    mkdirSync(at('..data'));
    for (const name of ['ca.key', 'server.key']) {
      await rename(at(name), at(`..data/${name}`));
      await symlink(`..data/${name}`, at(name));
    }
    await open();
  });

  describe('are renewed', () => {
    it('from 30 days before the end, with the same key, and not earlier', async () => {
      await open();
      const [before, key] = [read('server.crt'), read('server.key')];
      clock.advance(59 * DAY_MS);
      await open();
      assert.equal(read('server.crt'), before);
      clock.advance(DAY_MS);
      await open();
      assert.notEqual(read('server.crt'), before);
      assert.equal(read('server.key'), key);
      assert.equal(certificate('server.crt').validToDate.getTime(), clock.nowMs() + 90 * DAY_MS);
    });

    it('when a name is missing, keeping the CA', async () => {
      await open();
      const ca = read('ca.crt');
      const tls = await open([...NAMES, 'new.corp', '*.apps.corp', '10.1.2.3']);
      assert.deepEqual(tls.status().missingNames, []);
      assert.ok(certificate('server.crt').checkHost('x.apps.corp'));
      assert.equal(read('ca.crt'), ca);
    });

    it('never beyond the end of the CA', async () => {
      await open();
      clock.advance(3600 * DAY_MS);
      await open();
      assert.equal(certificate('server.crt').validTo, certificate('ca.crt').validTo);
    });

    it('while the server runs: new connections get the new one, old ones go on (S-07, F-42)', async () => {
      const tls = await open();
      const server = createServer(tls.context(), (_request, response) => response.end('ok'));
      tls.onReload((context) => server.setSecureContext(context));
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const sockets: TLSSocket[] = [];
      try {
        const dial = async () => {
          const { port } = server.address() as AddressInfo;
          const socket = connect({
            port,
            host: '127.0.0.1',
            servername: 'reg.corp',
            rejectUnauthorized: false,
          });
          await new Promise((resolve) => socket.once('secureConnect', resolve));
          sockets.push(socket);
          return socket;
        };
        const old = await dial();
        clock.advance(61 * DAY_MS);
        assert.equal(await tls.refresh(), true);
        assert.equal(await tls.refresh(), false);
        const fresh = await dial();
        assert.notEqual(
          fresh.getPeerX509Certificate()?.serialNumber,
          old.getPeerX509Certificate()?.serialNumber,
        );
        assert.equal(fresh.getPeerX509Certificate()?.fingerprint256, tls.status().fingerprint);
        old.write('GET / HTTP/1.1\r\nHost: reg.corp\r\n\r\n');
        const [answer] = await new Promise<[Buffer]>((resolve) =>
          old.once('data', (...all: [Buffer]) => resolve(all)),
        );
        assert.match(answer.toString(), /^HTTP\/1\.1 200/);
      } finally {
        for (const socket of sockets) socket.destroy();
        server.close();
      }
    });

    it('in a process that only reads, once another has issued', async () => {
      const issuer = await open();
      const reader = await open(NAMES, false);
      const reloads: string[] = [];
      const end = reader.onReload((context) => reloads.push(context.cert));
      clock.advance(61 * DAY_MS);
      assert.equal(await reader.refresh(), false);
      await issuer.refresh();
      assert.equal(await reader.refresh(), true);
      assert.deepEqual(reloads, [issuer.context().cert]);
      end();
    });

    it('but a damaged file leaves the old pair in use and is logged (F-43)', async () => {
      const errors: string[] = [];
      const logger: Logger = { ...silentLogger, error: (message) => errors.push(message) };
      const tls = await open(NAMES, true, logger);
      const before = tls.context();
      writeFileSync(at('server.key'), 'garbage');
      assert.equal(await tls.refresh(), false);
      assert.deepEqual(tls.context(), before);
      assert.equal(errors.length, 1);
      assert.equal(read('server.key'), 'garbage');
    });
  });

  describe("of the operator's own", () => {
    let other: string;
    beforeEach(async () => {
      other = await mkdtemp(join(tmpdir(), 'dockgate-own-'));
      const parts = { clock, random: systemRandom, logger: silentLogger };
      (await openTls({ directory: other, names: ['own.corp'], mayIssue: true }, parts)).close();
      for (const name of ['server.crt', 'server.key']) await copyFile(join(other, name), at(name));
    });
    afterEach(() => rm(other, { recursive: true }));

    it('are used as they are, with no CA made, and never overwritten', async () => {
      const hash = () =>
        createHash('sha256')
          .update(read('server.crt') + read('server.key'))
          .digest('hex');
      const before = hash();
      clock.advance(100 * DAY_MS);
      const said: string[] = [];
      const tls = await open(NAMES, true, { ...silentLogger, warn: (message) => said.push(message) });
      assert.equal(hash(), before);
      assert.deepEqual(readdirSync(directory).sort(), ['server.crt', 'server.key']);
      assert.deepEqual(tls.status().missingNames, NAMES);
      assert.deepEqual(said, ['server certificate has expired', 'server certificate lacks names']);
    });

    it('need no more names than clients are told', async () => {
      const said: string[] = [];
      const logger = { ...silentLogger, warn: (message: string) => said.push(message) };
      const names = [...NAMES, 'own.corp'];
      const tls = await openTls(
        { directory, names, namesTold: ['own.corp'], mayIssue: true },
        { clock, random: systemRandom, logger },
      );
      opened.push(tls);
      assert.deepEqual([tls.status().missingNames, said], [[], []]);
    });

    it('are warned about by the process that issues, and by no other', async () => {
      const said: string[] = [];
      await open(NAMES, false, { ...silentLogger, warn: (message) => said.push(message) });
      assert.deepEqual(said, []);
    });

    it('are used beside a local CA that was made earlier', async () => {
      for (const name of ['server.crt', 'server.key']) await rm(at(name));
      await open();
      for (const name of ['server.crt', 'server.key']) await copyFile(join(other, name), at(name));
      const tls = await open();
      assert.equal(tls.context().cert, readFileSync(join(other, 'server.crt'), 'utf8'));
    });

    it('are warned about 30, 7 and 1 days before the end, once each', async () => {
      const said: string[] = [];
      const tls = await open(['own.corp'], true, { ...silentLogger, warn: (message) => said.push(message) });
      for (const days of [59, 1, 1, 22, 1, 5, 1]) {
        clock.advance(days * DAY_MS);
        await tls.refresh();
      }
      assert.deepEqual(said, [
        'server certificate ends soon',
        'server certificate ends soon',
        'server certificate ends soon',
        'server certificate has expired',
      ]);
    });
  });
});

interface HandshakeOptions {
  readonly servername: string;
  readonly ca: string;
  readonly minVersion?: 'TLSv1';
  readonly maxVersion?: 'TLSv1.1' | 'TLSv1.2';
  readonly ciphers?: string;
  readonly ALPNProtocols?: string[];
}

async function handshake(tls: Tls, options: HandshakeOptions) {
  const server = createServer(tls.context());
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  try {
    const { servername, ca, ALPNProtocols = ['http/1.1'], minVersion, maxVersion, ciphers } = options;
    return await new Promise<{ protocol: string | null; alpn: string | false | null }>((resolve, reject) => {
      const socket = connect({
        ...{ port, host: '127.0.0.1', servername, ca, ALPNProtocols },
        ...(minVersion ? { minVersion } : {}),
        ...(maxVersion ? { maxVersion } : {}),
        ...(ciphers ? { ciphers } : {}),
      });
      socket.once('error', reject);
      socket.once('secureConnect', () => {
        resolve({ protocol: socket.getProtocol(), alpn: socket.alpnProtocol });
        socket.destroy();
      });
    });
  } finally {
    server.close();
  }
}

function pemOf(kind: 'public' | 'private' | 'encrypted'): string {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  if (kind === 'public') return publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const cipher = kind === 'encrypted' ? { cipher: 'aes-256-cbc', passphrase: 'secret' } : {};
  return privateKey.export({ type: 'pkcs8', format: 'pem', ...cipher }).toString();
}

function rsaPem(modulusLength: number): string {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}
