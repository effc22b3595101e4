import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { DAY_MS, MINUTE_MS, StartError } from '../../src/base/index.ts';
import {
  type ConfigOptions,
  dangerousEnvironment,
  type Environment,
  explainConfig,
  loadConfig,
} from '../../src/config/index.ts';

describe('the configuration', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'dockgate-config-'));
    mkdirSync(join(directory, 'config'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  const write = (name: string, content: string) => writeFileSync(join(directory, name), content);
  const load = (yaml?: string, options: ConfigOptions = {}, environment: Environment = {}) => {
    if (yaml !== undefined) write('config/dockgate.yaml', yaml);
    return loadConfig({ options, environment, directory });
  };
  const read = async (...all: Parameters<typeof load>) => (await load(...all)).config;
  const refuses = (message: RegExp | string, ...all: Parameters<typeof load>) =>
    assert.rejects(load(...all), (error) => {
      assert.ok(error instanceof StartError, String(error));
      if (typeof message === 'string') assert.equal(error.message, message);
      else assert.match(error.message, message);
      return true;
    });

  it('names whose signatures count, each by its own name, and reads their files', async () => {
    write('release.pub', 'PEM');
    const key = (more: string) => `trust: { keys: [{ name: release, file: release.pub${more} }] }`;
    const { trust } = await read(key(', until: "2027-01-31", revoked: true'));
    assert.deepEqual(
      trust.keys.map(({ pem, isRevoked, untilMs }) => [pem, isRevoked, untilMs]),
      [['PEM', true, Date.UTC(2027, 0, 31)]],
    );
    const signed = `policies: [{ name: p, match: ["**"], rules: { signatures: { by: [relaese] } } }]`;
    await refuses(
      /policies\[0\]\.rules\.signatures\.by\[0\]: trust .* knows no "relaese"; there are release/,
      `${key('')}\n${signed}`,
    );
    await refuses(/trust\.keys\[0\]\.until: must be a day/, key(', until: "2027-02-30"'));
    await refuses(
      /trust: two signers have the name a/,
      'trust: { keys: [{ name: a, file: a }, { name: a, file: b }] }',
    );
    await refuses(
      /trust\.keys\[0\]\.file: .*none\.pub cannot be read/,
      'trust: { keys: [{ name: a, file: none.pub }] }',
    );
    const identity = (subject: string) =>
      `trust: { identities: [{ name: ci, issuer: "https://ci.test", subject: "${subject}" }] }`;
    await refuses(/trust\.rootFile: is missing/, identity('a@corp.test'));
    await refuses(/trust\.identities\[0\]\.subject: must be a pattern of more/, identity('*'));
  });

  it('names who signs with Notation, and the stores that vouch for them', async () => {
    write('root.pem', 'PEM');
    write('crl.pem', 'CRL');
    const store = '{ name: acme, file: root.pem, crlFile: crl.pem }';
    const signer = (more = '"ca:acme"', identities = '"*"') =>
      `{ name: acme-release, trustStores: [${more}], trustedIdentities: [${identities}] }`;
    const { trust } = await read(`trust: { stores: [${store}], notation: [${signer()}] }`);
    assert.deepEqual(
      trust.stores.map(({ name, type, pem, crlPem }) => [name, type, pem, crlPem]),
      [['acme', 'ca', 'PEM', 'CRL']],
    );
    assert.deepEqual(
      trust.notation.map(({ name, trustStores, trustedIdentities }) => [
        name,
        trustStores,
        trustedIdentities,
      ]),
      [['acme-release', ['ca:acme'], ['*']]],
    );
    await refuses(
      /trust\.stores: two stores have the name ca:acme/,
      `trust: { stores: [${store}, ${store}] }`,
    );
    for (const empty of [signer(''), signer('"ca:acme"', '')]) {
      await refuses(
        /trust\.notation\[0\]: needs a trust store and an identity/,
        `trust: { notation: [${empty}] }`,
      );
    }
    await refuses(/two signers have the name/, `trust: { notation: [${signer()}, ${signer()}] }`);
    await refuses(
      /trustStores: must be a list of TYPE:NAME/,
      `trust: { notation: [${signer('"tsa:acme"')}] }`,
    );
  });

  it('is complete when nothing is given', async () => {
    const config = await read();
    assert.equal(config.port, 8443);
    assert.equal(config.listen, undefined);
    assert.deepEqual(config.ops, { address: '127.0.0.1', port: 9464 });
    assert.equal(config.publicUrl, 'https://localhost:8443');
    assert.equal(config.service, 'dockgate');
    assert.equal(config.workers, availableParallelism());
    assert.equal(config.dataDirectory, join(directory, 'data'));
    assert.equal(config.certsDirectory, join(directory, 'certs'));
    assert.equal(config.databasePath, join(directory, 'data', 'dockgate.db'));
    assert.deepEqual([config.upstreams, config.policies, config.names], [[], [], []]);
    assert.equal(config.redis, undefined);
    assert.deepEqual(config.token, { lifetimeSeconds: 300, refreshUnusedMsMax: 90 * DAY_MS });
    assert.deepEqual(config.audit, {
      durability: 'disk',
      waitMsMax: 5000,
      outlets: [],
      reserveBytes: 4 * 1024 * 1024,
      witnesses: [],
      retention: { ageMs: undefined, bytesMax: undefined },
    });
    assert.equal(config.unmatched, 'block');
    assert.equal(config.scanners.inspector.isEnabled, true);
    assert.equal(config.limits.pendingMs, DAY_MS);
    assert.equal(config.file, undefined);
  });

  it('reads every kind of key from the file', async () => {
    write('pw', 'hush\n');
    write('ca.pem', '-----BEGIN CERTIFICATE-----\n');
    const config = await read(`
port: 9000
workers: 3
publicUrl: https://Reg.corp:443/
names: [a.corp, 10.0.0.1, "*.apps.corp"]
opsListen: "[::1]:9000"
opsPort: 9001
token:
  lifetime: 10m
  refreshUnused:
scanners: { inspector: { enabled: false, blobBytesMax: 1GiB } }
upstreams:
  - url: http://127.0.0.1:5000
  - { prefix: hub, url: "https://hub.corp", username: u, passwordFile: pw, caFile: ca.pem, tokenRealms: ["https://auth.corp"] }
redis: { url: "redis://127.0.0.1:6379/1", password: "123" }
database: { url: "sqlite:other.db" }
policies:
  - name: p
    match: ["**"]
    rules: { secrets: block }
`);
    assert.equal(config.port, 9000);
    assert.equal(config.workers, 3);
    assert.equal(config.publicUrl, 'https://reg.corp');
    assert.deepEqual(config.names, ['a.corp', '10.0.0.1', '*.apps.corp']);
    assert.deepEqual(config.ops, { address: '::1', port: 9001 });
    assert.deepEqual(config.token, { lifetimeSeconds: 600, refreshUnusedMsMax: 90 * DAY_MS });
    assert.equal(config.scanners.inspector.isEnabled, false);
    assert.equal(config.scanners.inspector.compressedBytesMax, 2 ** 30);
    assert.deepEqual(config.upstreams, [
      {
        url: 'http://127.0.0.1:5000',
        tokenRealms: [],
        redirectOrigins: [],
        prefix: '',
        access: 'full',
        staleTags: false,
        mirrors: [],
        isMirrorDefault: false,
        isExclusive: false,
        tagFreshMs: 2000,
        passwordLifetimeMs: DAY_MS / 2,
        credentialKind: 'password',
      },
      {
        url: 'https://hub.corp',
        tokenRealms: ['https://auth.corp'],
        redirectOrigins: [],
        prefix: 'hub/',
        username: 'u',
        passwordFile: join(directory, 'pw'),
        access: 'full',
        staleTags: false,
        mirrors: [],
        isMirrorDefault: false,
        isExclusive: false,
        tagFreshMs: 2000,
        passwordLifetimeMs: DAY_MS / 2,
        credentialKind: 'password',
        ca: '-----BEGIN CERTIFICATE-----\n',
      },
    ]);
    assert.deepEqual(config.redis, { url: 'redis://127.0.0.1:6379/1', password: '123' });
    assert.equal(config.databasePath, join(directory, 'other.db'));
    assert.equal(config.policies[0]?.name, 'p');
    assert.equal(config.file, join(directory, 'config', 'dockgate.yaml'));
  });

  it('takes a Redis, the sentinels of one, or a cluster, and only one of them', async () => {
    const at = (host: string, port: number) => ({ host, port });
    const sentinel = await read(
      'redis: {sentinels: ["r1.corp:26379", "[::1]:26380"], password: a, tls: true}',
    );
    assert.deepEqual(sentinel.redis, {
      sentinels: [at('r1.corp', 26_379), at('::1', 26_380)],
      master: 'mymaster',
      password: 'a',
      tls: true,
    });
    const cluster = await read('redis: {cluster: ["10.0.0.1:6379"], username: gate}');
    assert.deepEqual(cluster.redis, { cluster: [at('10.0.0.1', 6379)], username: 'gate' });
    for (const wrong of [
      'url: "redis://a", cluster: ["a:1"]',
      'sentinels: ["a:1"], cluster: ["b:2"]',
      'cluster: ["a"]',
      'cluster: ["a:0"]',
      'password: x',
      'url: "redis://a", sentinelPassword: x',
      'url: "redis://a", tls: true',
    ]) {
      await assert.rejects(read(`redis: {${wrong}}`), /redis/, wrong);
    }
  });

  it('takes a PostgreSQL, by TLS that is verified unless that is switched off', async () => {
    const url = 'postgres://gate@db.corp:5433/dockgate';
    const { postgres } = await read(`database: {url: "${url}", password: hush}`);
    assert.deepEqual(postgres, { url, password: 'hush', tls: {}, connectionsMax: 8 });
    const plain = await read(`database: {url: "${url}", tls: false, connections: 3}`);
    assert.deepEqual(plain.postgres, { url, connectionsMax: 3 });
    for (const wrong of [
      'url: "postgres://gate:hush@db.corp/dockgate"',
      'url: "postgres://db.corp/dockgate"',
      'url: "postgres://gate@db.corp"',
      'url: "postgres://gate@db.corp/dockgate?sslmode=disable"',
      'password: hush',
      'url: "sqlite:x", caFile: ca.pem',
    ]) {
      await assert.rejects(read(`database: {${wrong}}`), /database/, wrong);
    }
  });

  it('gives the command for a password our environment without our own settings', async () => {
    const yaml = 'upstreams: [{url: "http://a", username: u, passwordCommand: [print, it]}]';
    const environment = { AWS_PROFILE: 'x', DOCKGATE_ADMIN_PASSWORD: 'hush', GONE: undefined };
    const [upstream] = (await read(yaml, {}, environment)).upstreams;
    assert.deepEqual(upstream?.passwordCommand, ['print', 'it']);
    assert.deepEqual(upstream.passwordCommandEnvironment, { AWS_PROFILE: 'x' });
  });

  describe('takes', () => {
    it('the environment over the file, the command line over both', async () => {
      const environment = { DOCKGATE_PORT: '2', DOCKGATE_OPS_PORT: '3', DOCKGATE_TOKEN__LIFETIME: '2m' };
      const config = await read(
        'port: 1\nopsPort: 1\ntoken: {lifetime: 1m}\nservice: a',
        { port: '4', set: ['token.lifetime=3m'] },
        environment,
      );
      assert.deepEqual(
        [config.port, config.ops.port, config.token.lifetimeSeconds, config.service],
        [4, 3, 180, 'a'],
      );
    });

    it('variables whatever their case and single underscores', async () => {
      for (const name of ['DOCKGATE_PUBLIC_URL', 'DOCKGATE_publicUrl', 'DOCKGATE_PUBLICURL']) {
        assert.equal((await read(undefined, {}, { [name]: 'https://x' })).publicUrl, 'https://x');
      }
      const nested = await read(undefined, {}, { DOCKGATE_SCANNERS__INSPECTOR__BLOB_TIME_MAX: '1m' });
      assert.equal(nested.scanners.inspector.blobMsMax, MINUTE_MS);
    });

    it('lists from the environment by index, as YAML, and separated by commas', async () => {
      const byIndex = { DOCKGATE_UPSTREAMS__0__URL: 'http://a', DOCKGATE_UPSTREAMS__0__PREFIX: 'a' };
      assert.equal((await read(undefined, {}, byIndex)).upstreams[0]?.prefix, 'a/');
      const asYaml = { DOCKGATE_UPSTREAMS: '[{prefix: "", url: "http://127.0.0.1:5000"}]' };
      assert.equal((await read(undefined, {}, asYaml)).upstreams[0]?.url, 'http://127.0.0.1:5000');
      assert.deepEqual((await read(undefined, {}, { DOCKGATE_NAMES: 'a, b' })).names, ['a', 'b']);
    });

    it('one key of a list of the file from the command line', async () => {
      const options = { set: ['upstreams[1].url=http://new', 'upstreams.0.prefix=x'] };
      const { upstreams } = await read(
        'upstreams: [{url: "http://a"}, {prefix: y, url: "http://b"}]',
        options,
      );
      assert.deepEqual(
        upstreams.map(({ prefix, url }) => [prefix, url]),
        [
          ['x/', 'http://a'],
          ['y/', 'http://new'],
        ],
      );
    });

    it('a whole list from the command line in place of the one in the file', async () => {
      const yaml = 'upstreams: [{url: "http://a"}, {prefix: y, url: "http://b"}]';
      assert.deepEqual((await read(yaml, { set: ['upstreams=[]'] })).upstreams, []);
    });

    it('a password that looks like a number, from the environment', async () => {
      assert.equal(
        (await read(undefined, {}, { DOCKGATE_ADMIN_PASSWORD: '12345678' })).adminPassword,
        '12345678',
      );
    });

    it('every flag', async () => {
      const config = await read(undefined, {
        ...{ data: 'd', certs: '/c', port: '1', opsListen: '127.0.0.2:7', opsPort: '8', listen: '127.0.0.1' },
        ...{ workers: '2', publicUrl: 'https://reg', name: ['a', 'b'] },
      });
      assert.equal(config.dataDirectory, join(directory, 'd'));
      assert.equal(config.certsDirectory, '/c');
      assert.deepEqual(config.ops, { address: '127.0.0.2', port: 8 });
      assert.equal(config.listen, '127.0.0.1');
      assert.equal(config.workers, 2);
      assert.deepEqual(config.names, ['a', 'b']);
    });

    it('an empty file as no file', async () => {
      for (const empty of ['', '# nothing\n', '---\n']) assert.equal((await read(empty)).port, 8443);
    });
  });

  describe('is refused with its place when', () => {
    const cases: readonly [string, string, RegExp][] = [
      [
        'a key is unknown',
        'port: 1\nprot: 2',
        /^config\/dockgate\.yaml:2:1: prot: unknown key; there are listen, port,/,
      ],
      [
        'a nested key is unknown',
        'redis:\n  uri: x',
        /^config\/dockgate\.yaml:2:3: redis\.uri: unknown key; there are url,/,
      ],
      [
        'a number is out of range',
        'port: 70000',
        /^config\/dockgate\.yaml:1:7: port: must be a whole number from 0 to 65535, not 70000$/,
      ],
      [
        'a number is a word',
        'workers: many',
        /:1:10: workers: must be a whole number from 0 to 256, not many$/,
      ],
      [
        'a duration has no unit',
        'token:\n  lifetime: 300',
        /:2:13: token\.lifetime: must be a duration .* from 1m to 1h, not 300$/,
      ],
      ['a duration is too long', 'token: {lifetime: 2h}', /token\.lifetime: must be .* not 2h$/],
      ['a size is no size', 'limits: {headerBytes: big}', /limits\.headerBytes: must be a size/],
      ['a flag is no flag', 'scanners: {inspector: {enabled: yes}}', /must be true or false, not yes$/],
      [
        'a word is not one of those allowed',
        'audit: {durability: maybe}',
        /must be one of disk, os, not maybe/,
      ],
      [
        'a repository without policy is to be served',
        'unmatched: allow',
        /unmatched: must be block, not allow/,
      ],
      ['a section is a value', 'redis: redis://x', /:1:8: redis: must be a section with the keys url/],
      ['a list is a value', 'upstreams: http://x', /upstreams: must be a list/],
      ['a name is no name', 'names: ["a b"]', /names: must be a list of host names/],
      ['the public URL is plain HTTP', 'publicUrl: http://x', /publicUrl: must be https:\/\/host/],
      ['the public URL has a path', 'publicUrl: https://x/y', /publicUrl: must be https:\/\/host/],
      ['an upstream lacks its URL', 'upstreams: [{prefix: a}]', /upstreams\[0\]\.url: must be http:\/\//],
      ['an upstream has a path', 'upstreams: [{url: "http://a/v2"}]', /:1:19: upstreams\[0\]\.url: must be/],
      [
        'an upstream carries its password in the URL',
        'upstreams: [{url: "http://u:p@a"}]',
        /upstreams\[0\]\.url: must be/,
      ],
      [
        'a prefix is no name',
        'upstreams: [{prefix: A, url: "http://a"}]',
        /prefix: must be empty, or a path/,
      ],
      [
        'two upstreams mirror one registry',
        'upstreams: [{prefix: a, url: "http://a", mirrors: [docker.io]}, {prefix: b, url: "http://b", mirrors: [docker.io]}]',
        /upstreams\[1\]\.mirrors: another upstream mirrors docker\.io as well/,
      ],
      [
        'two upstreams are the default mirror',
        'upstreams: [{prefix: a, url: "http://a", mirrorDefault: true}, {prefix: b, url: "http://b", mirrorDefault: true}]',
        /upstreams\[1\]\.mirrorDefault: another upstream is the default already/,
      ],
      [
        'the default mirror stands beside an upstream for every name',
        'upstreams: [{prefix: a, url: "http://a", mirrorDefault: true}, {url: "http://b"}]',
        /upstreams\[0\]\.mirrorDefault: has no meaning beside/,
      ],
      [
        'an upstream has a command and a password',
        'upstreams: [{url: "http://a", username: u, password: p, passwordCommand: [c]}]',
        /upstreams\[0\]\.passwordCommand: given beside password/,
      ],
      [
        'a command is a text',
        'upstreams: [{url: "http://a", username: u, passwordCommand: "aws ecr"}]',
        /upstreams\[0\]\.passwordCommand: must be a list: a program and its arguments/,
      ],
      [
        'a refresh token is not given',
        'upstreams: [{url: "http://a", credential: refresh-token}]',
        /upstreams\[0\]\.credential: is refresh-token: give it as/,
      ],
      [
        'a client certificate has no key',
        'upstreams: [{url: "http://a", clientCertFile: c}]',
        /clientCertFile and clientKeyFile belong together/,
      ],
      [
        'two upstreams have one prefix',
        'upstreams: [{prefix: a, url: "http://a"}, {prefix: a/, url: "http://b"}]',
        /upstreams\[1\]\.prefix: another upstream/,
      ],
      [
        'an upstream has a name and no password',
        'upstreams: [{url: "http://a", username: u}]',
        /belong together/,
      ],
      [
        'a password is given twice',
        'redis: {url: "redis://a", password: a, passwordFile: b}',
        /redis\.passwordFile: given beside password/,
      ],
      [
        'Redis has a password and no URL',
        'redis: {password: a}',
        /redis\.password: url or sentinels or cluster is missing/,
      ],
      [
        'a Redis URL carries the password',
        'redis: {url: "redis://:pw@a"}',
        /redis\.url: must be redis:.*, not redis:\/\/\(secret\)@a$/,
      ],
      [
        'the database is not SQLite',
        'database: {url: "postgres://x/y"}',
        /database\.url: must be sqlite:PATH/,
      ],
      ["the ops port is the gateway's", 'port: 9464', /opsListen: uses port 9464/],
      [
        'a policy is wrong',
        'policies:\n  - name: p\n    match: ["**"]\n    rules: {age: {max: long}}',
        /:4:24: policies\[0\]\.rules\.age\.max: must be a duration/,
      ],
      ['a key is given twice', 'port: 1\nport: 2', /^config\/dockgate\.yaml:2:1: Map keys must be unique/],
      ['it is no YAML', 'port: [1', /^config\/dockgate\.yaml:1:/],
      ['its top is a list', '- port', /:1:1: must hold keys with values/],
      ['it holds an alias', 'service: &a x\nnode: *a', /:2:7: aliases/],
      ['it holds a tag', 'service: !!js/function x', /dockgate\.yaml:1:10: /],
      ['a key is a list', '[a]: 1', /keys must be plain words/],
      [
        'a secret is a number',
        'adminPassword: 12345',
        /adminPassword: must be text \(quote it if it looks like a number\)$/,
      ],
    ];
    for (const [title, yaml, message] of cases) it(title, () => refuses(message, yaml));

    for (const key of ['__proto__', 'constructor', 'prototype']) {
      it(`S-15: a key is ${key}`, async () => {
        await refuses(/cannot be a key/, `${key}: {isAdmin: true}`);
        await refuses(/cannot be a key/, `redis: {${key}: 1}`);
        await rm(join(directory, 'config', 'dockgate.yaml'));
        await refuses(/there is no such key/, undefined, { set: [`${key}.isAdmin=true`] });
        await refuses(/cannot be a key/, undefined, { set: [`upstreams=[{"${key}": 1}]`] });
        await refuses(/there is no such key/, undefined, {}, { [`DOCKGATE_${key}`]: '1' });
        assert.equal(Reflect.get({}, 'isAdmin'), undefined);
      });
    }

    it('several things are wrong: all are told, a line each', () =>
      refuses(/^[^\n]+:1:7: port: [^\n]+\n[^\n]+:2:10: workers: [^\n]+$/, 'port: x\nworkers: y'));

    it('a secret is wrong, without printing it', () =>
      refuses(
        'config/dockgate.yaml:2:13: redis.password: must be text (quote it if it looks like a number)',
        'redis:\n  password: 4711',
      ));

    it('a flag is wrong', () =>
      refuses('--port: port: must be a whole number from 0 to 65535, not x', undefined, { port: 'x' }));
    it('--set names no key', () =>
      refuses(/^--set nope: there is no such key/, undefined, { set: ['nope=1'] }));
    it('--set has no value', () => refuses(/must be key=value/, undefined, { set: ['port'] }));
    it('--set skips an entry of a list', () =>
      refuses(/give the entries from 0 on/, undefined, { set: ['upstreams.1.url=http://a'] }));
    it('--set is no YAML', () => refuses(/not a list or map/, undefined, { set: ['upstreams=[{'] }));
    it('a variable names no key', () =>
      refuses(/^DOCKGATE_PROT: there is no such key/, undefined, {}, { DOCKGATE_PROT: '1' }));
    it("a variable's value is wrong", () =>
      refuses(/^DOCKGATE_PORT: port: must be/, undefined, {}, { DOCKGATE_PORT: '' }));
    it('the file that was asked for is not there', () =>
      refuses(/none\.yaml: cannot be read/, undefined, { config: 'none.yaml' }));
    it('the file is a directory', () => refuses(/cannot be read/, undefined, { config: 'config' }));
    it('the file is not UTF-8', async () => {
      writeFileSync(join(directory, 'latin.yaml'), Buffer.from([0x61, 0x3a, 0x20, 0xe4]));
      await refuses(/latin\.yaml: cannot be read/, undefined, { config: 'latin.yaml' });
    });
    it('a file of a secret is missing or empty', async () => {
      await refuses(/:1:20: adminPasswordFile: .*none cannot be read/, 'adminPasswordFile: none');
      write('empty', '\n');
      await refuses(/adminPasswordFile: .*empty is empty/, 'adminPasswordFile: empty');
    });
    it('a file of certificates holds none', async () => {
      write('ca.pem', 'x');
      await refuses(
        /upstreams\[0\]\.caFile: .* holds no certificate/,
        'upstreams: [{url: "http://a", caFile: ca.pem}]',
      );
    });
  });

  it('never throws anything but a StartError, whatever the file holds', () =>
    fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.object().map((value) => JSON.stringify(value)),
        ),
        async (yaml) => {
          await load(yaml).catch((error: unknown) => assert.ok(error instanceof StartError, String(error)));
        },
      ),
      { numRuns: 200 },
    ));

  it('is explained key by key, with where it was set, and without secrets', async () => {
    const { tree } = await load(
      'redis:\n  url: redis://a\n  password: hush',
      { port: '1' },
      { DOCKGATE_SERVICE: 's' },
    );
    const rows = explainConfig(tree);
    const find = (key: string) => rows.find((row) => row.key === key);
    assert.deepEqual([find('port')?.value, find('port')?.from], ['1', '--port']);
    assert.deepEqual([find('service')?.value, find('service')?.from], ['s', 'DOCKGATE_SERVICE']);
    assert.deepEqual(
      [find('redis.url')?.value, find('redis.url')?.from],
      ['redis://a', 'config/dockgate.yaml:2:8'],
    );
    assert.deepEqual([find('workers')?.value, find('workers')?.from], ['0', 'default']);
    assert.equal(find('redis.password')?.value, '(secret)');
    assert.equal(JSON.stringify(rows).includes('hush'), false);
  });
});

describe('P-19: the environment', () => {
  it('is reported where it weakens the server, without values', () => {
    const dangers = dangerousEnvironment({
      ...{
        NODE_TLS_REJECT_UNAUTHORIZED: '0',
        NODE_OPTIONS: '--secret',
        https_proxy: 'http://u:p@x',
        PATH: '/bin',
      },
      HTTP_PROXY: '',
    });
    assert.deepEqual(
      dangers.map(({ variable, isFatal }) => [variable, isFatal]),
      [
        ['NODE_OPTIONS', false],
        ['NODE_TLS_REJECT_UNAUTHORIZED', true],
        ['https_proxy', false],
      ],
    );
    assert.doesNotMatch(JSON.stringify(dangers), /secret|u:p/);
  });

  it('may say that certificates are checked', () => {
    assert.deepEqual(dangerousEnvironment({ NODE_TLS_REJECT_UNAUTHORIZED: '1' }), []);
  });
});
