import assert from 'node:assert/strict';
import type { Inspector } from '../../../src/scanners/index.ts';
import type { ScanReport } from '../../../src/verdicts/index.ts';
import {
  buildArtifact,
  buildImage,
  buildIndex,
  type ImageConfigOptions,
  type ImageEntry,
} from '../../support/image.ts';
import { createRandom, idsOf, NOW_MS, openInspector, scan, scanFiles } from './scanning.ts';

const random = createRandom('config');

/** Nothing to complain about. */
const SOUND: ImageConfigOptions = { user: '1000', healthcheck: ['CMD', '/app/check'] };

describe('the configuration of an image', () => {
  let inspector: Inspector;
  before(() => {
    inspector = openInspector();
  });
  after(() => inspector.close());

  const scanConfig = async (
    config: ImageConfigOptions,
    files: readonly ImageEntry[] = [{ path: 'etc/hostname', data: 'x' }],
  ): Promise<ScanReport> =>
    scan(inspector, await buildImage({ config: { ...SOUND, ...config }, layers: [files] }));
  const scanRaw = async (config: unknown): Promise<ScanReport> => {
    const configBytes = Buffer.from(typeof config === 'string' ? config : JSON.stringify(config));
    return scan(inspector, await buildImage({ configBytes }));
  };

  it('leads to no finding when it is sound', async () => {
    const report = await scanConfig({ env: ['PATH=/usr/bin', 'LANG=C.UTF-8'], history: ['RUN make'] });
    assert.deepEqual(report.findings, []);
    assert.equal(report.scan.status, 'done');
    assert.equal(report.scan.by, 'inspector');
    assert.equal(report.scan.atMs, NOW_MS);
  });

  describe('CIS 4.1, the user (V-44)', () => {
    for (const user of ['', 'root', '0', '0:0', '00', '+0', '-0', 'root:app', '0:1000', ' root ']) {
      it(`is root as "${user}"`, async () => {
        const report = await scanConfig({ user });
        assert.deepEqual(idsOf(report), ['cis-4.1']);
        assert.equal(report.findings[0]?.severity, 'high');
      });
    }
    for (const user of ['1000', 'app', 'app:root', '10', 'rooted', '65532:65532']) {
      it(`is not root as "${user}"`, async () => assert.deepEqual(idsOf(await scanConfig({ user })), []));
    }
    it('is root by another name when the last /etc/passwd says so', async () => {
      const passwd = 'root:x:0:0::/root:/bin/sh\ntoor:x:0:0::/root:/bin/sh\napp:x:1000:1000::/:/bin/sh\n';
      const files = [{ path: 'etc/passwd', data: passwd }];
      assert.deepEqual(idsOf(await scanConfig({ user: 'toor' }, files)), ['cis-4.1', 'superuser-account']);
      assert.deepEqual(idsOf(await scanConfig({ user: 'app' }, files)), ['superuser-account']);
    });
    it('is root although a label says otherwise, and whatever the case of the key', async () => {
      assert.ok(idsOf(await scanConfig({ user: '', labels: { User: '1000' } })).includes('cis-4.1'));
      const folded = await scanRaw({ config: { user: '1000', HEALTHCHECK: { test: ['CMD', 'x'] } } });
      assert.deepEqual(idsOf(folded), []);
    });
  });

  it('needs a HEALTHCHECK, and NONE is none (CIS 4.6)', async () => {
    const { healthcheck: _, ...without } = SOUND;
    const image = await buildImage({ config: without });
    assert.deepEqual(idsOf(await scan(inspector, image)), ['cis-4.6']);
    assert.deepEqual(idsOf(await scanConfig({ healthcheck: ['NONE'] })), ['cis-4.6']);
    assert.deepEqual(idsOf(await scanConfig({ healthcheck: ['none'] })), ['cis-4.6']);
    assert.deepEqual(idsOf(await scanConfig({ healthcheck: [] })), ['cis-4.6']);
  });

  it('tells ADD from the network from ADD of a file, and lets a base unpack itself (CIS 4.9)', async () => {
    const ids = async (step: string): Promise<readonly string[]> =>
      idsOf(await scanConfig({ history: [step] }));
    assert.deepEqual(await ids('ADD https://get.corp.net/x.tgz /opt/ # buildkit'), ['cis-4.9-remote']);
    assert.deepEqual(await ids('ADD --chown=app:app git@host:x.git /src # buildkit'), ['cis-4.9-remote']);
    assert.deepEqual(await ids('/bin/sh -c #(nop) ADD http://a.net/x in /opt '), ['cis-4.9-remote']);
    assert.deepEqual(await ids('ADD app.tar.gz /opt # buildkit'), ['cis-4.9']);
    assert.deepEqual(await ids('/bin/sh -c #(nop) ADD file:5d3a2b in / '), []);
    assert.deepEqual(await ids('COPY https.txt / # buildkit'), []);
    assert.deepEqual(await ids('RUN /bin/sh -c adduser app && echo ADD http://x'), []);
  });

  it('puts update and install into one step (CIS 4.7)', async () => {
    const ids = async (...history: string[]): Promise<readonly string[]> =>
      idsOf(await scanConfig({ history }));
    assert.deepEqual(await ids('RUN apt-get update', 'RUN apt-get install -y curl'), ['cis-4.7']);
    assert.deepEqual(await ids('/bin/sh -c apt-get -qq update'), ['cis-4.7']);
    assert.deepEqual(await ids('RUN apt-get update && apt-get install -y curl'), []);
  });

  it('exposes no SSH port (CIS 5.7) and names a fixed base', async () => {
    assert.deepEqual(idsOf(await scanConfig({ exposedPorts: ['22/tcp', '80/tcp'] })), ['cis-5.7']);
    assert.deepEqual(idsOf(await scanConfig({ exposedPorts: ['2222/tcp', '220'] })), []);
    const base = 'org.opencontainers.image.base.name';
    assert.deepEqual(idsOf(await scanConfig({ labels: { [base]: 'docker.io/library/debian:latest' } })), [
      'base-image-latest',
    ]);
    assert.deepEqual(idsOf(await scanConfig({ labels: { [base]: 'reg:5000/debian:12' } })), []);
  });

  it('fetches nothing that nobody vouches for (CIS 4.11)', async () => {
    const cases: readonly (readonly [step: string, id: string | undefined])[] = [
      ['RUN apt-get update && apt-get install -y --allow-unauthenticated curl', 'cis-4.11'],
      ['RUN apk add --allow-untrusted app.apk', 'cis-4.11'],
      [
        'RUN echo "deb [arch=amd64 trusted=yes] http://a.net/ ./" > /etc/apt/sources.list.d/a.list',
        'cis-4.11',
      ],
      ['RUN curl -fsSL https://get.corp.net/install | bash -s -- -y', 'pipe-to-shell'],
      ['RUN wget -qO- https://get.corp.net/install | sudo -E /bin/sh', 'pipe-to-shell'],
      ['RUN curl -kO https://get.corp.net/x', 'tls-not-verified'],
      ['RUN wget --no-check-certificate https://get.corp.net/x', 'tls-not-verified'],
      ['RUN curl -fsSLO https://get.corp.net/x && sha256sum -c x.sum', undefined],
      ['RUN curl -s https://get.corp.net/keys | gpg --dearmor > /k.gpg', undefined],
      ['RUN apt-get update && apt-get install -y curl && rm -rf /var/lib/apt/lists/*', undefined],
    ];
    for (const [step, id] of cases) {
      assert.deepEqual(idsOf(await scanConfig({ history: [step] })), id === undefined ? [] : [id], step);
    }
    assert.deepEqual(idsOf(await scanConfig({ env: ['GIT_SSL_NO_VERIFY=true'] })), ['tls-not-verified']);
    assert.deepEqual(idsOf(await scanConfig({ env: ['GIT_SSL_NO_VERIFY=false'] })), []);
  });

  it('has no volume over the system or its runtime (CIS 5.5, 5.31)', async () => {
    const ids = async (...volumes: string[]) => idsOf(await scanConfig({ volumes }));
    assert.deepEqual(await ids('/var/run/docker.sock'), ['cis-5.31']);
    assert.deepEqual(await ids('/etc/'), ['cis-5.5']);
    assert.deepEqual(await ids('/'), ['cis-5.5']);
    assert.deepEqual(await ids('/var/lib/postgresql/data', '/etc/app'), []);
  });

  it('lets nobody in beside the runtime', async () => {
    const report = await scanConfig({}, [
      { path: 'usr/sbin/sshd', mode: 0o755, data: 'x' },
      { path: 'home/app/.ssh/authorized_keys', data: 'ssh-ed25519 AAAA' },
      { path: 'home/app/.ssh/known_hosts', data: 'x' },
    ]);
    assert.deepEqual(idsOf(report), ['authorized-keys', 'ssh-server-installed']);
  });

  it('finds files with rights they should not have (CIS 4.8)', async () => {
    const report = await scanConfig({}, [
      { path: 'usr/bin/passwd', mode: 0o4755, data: 'x' },
      { path: 'usr/bin/wall', mode: 0o2755, data: 'x' },
      { path: 'usr/local/bin/helper', mode: 0o4755, data: 'x' },
      { path: 'etc/app.conf', mode: 0o666, data: 'x' },
      { path: 'srv/data', mode: 0o666, data: 'x' },
      { path: 'tmp', mode: 0o1777, type: 'directory' },
      { path: 'srv/link', mode: 0o777, type: 'symlink', linkname: 'data' },
      { path: 'usr/bin/sudo', mode: 0o755, data: 'x' },
      { path: 'srv/disk', type: 'block-device' },
      { path: 'dev/null', type: 'character-device' },
    ]);
    assert.deepEqual(
      report.findings.map(({ id, severity, location }) => `${severity} ${id} ${location}`),
      [
        'medium cis-4.8-unusual /usr/local/bin/helper',
        'medium device-file /srv/disk',
        'medium world-writable-program /etc/app.conf',
        'low cis-4.8 /usr/bin/passwd',
        'low sudo-installed /usr/bin/sudo',
        'low world-writable-file /srv/data',
      ],
    );
    assert.match(report.findings[3]?.title ?? '', /\(\/usr\/bin\/passwd, \/usr\/bin\/wall\)$/);
  });

  it('finds accounts without a password, and passwords that all copies share', async () => {
    const shadow =
      'root::19000:0:99999:7:::\ndaemon:*:19000::::::\nbob:$6$x$y:19000::::::\nnobody:!:1::::::\n';
    const report = await scanFiles(inspector, [{ path: 'etc/shadow', data: shadow }]);
    const found = report.findings.filter(({ location }) => location === '/etc/shadow').map(({ id }) => id);
    assert.deepEqual(found, ['empty-password', 'password-in-image']);
  });

  it('finds names that lead out of the layer, and writes nothing there', async () => {
    const report = await scanConfig({}, [{ path: '../../etc/cron.d/x', data: '* * * * * root id\n' }]);
    assert.deepEqual(idsOf(report), ['path-outside-layer']);
    assert.equal(report.findings[0]?.location, '/etc/cron.d/x');
  });

  describe('CIS 4.10, secrets', () => {
    const found = async (config: ImageConfigOptions): Promise<readonly string[]> =>
      (await scanConfig(config)).findings.map(({ kind, id }) => `${kind} ${id}`);
    const inEnv = ['secret password-in-env'];
    const inHistory = ['secret password-in-history'];

    for (const entry of [
      'DB_PASSWORD=hunter2',
      'API_TOKEN=s3cr3t-of-prod',
      'awsSecretKey=abcd1234',
      'X_APIKEY="q1w2e3"',
    ]) {
      it(`are seen in ENV ${entry}`, async () => assert.deepEqual(await found({ env: [entry] }), inEnv));
    }
    for (const entry of [
      'DB_PASSWORD=',
      'DB_PASSWORD_FILE=/run/secrets/db',
      'DB_PASSWORD=/run/secrets/db',
      'DB_PASSWORD=$OTHER',
      'ALLOW_EMPTY_PASSWORD=yes',
      'GPG_KEY=A035C8C19219BA821ECEA86B64E628F8D684696D',
      'TOKENIZERS_PARALLELISM=false',
      'PWD=/home/app',
      'COMPASS=north-by-northwest',
      'LLM_MAX_TOKEN=4096',
      'GIT_ASKPASS=/bin/echo',
      'RABBITMQ_PGP_KEY_ID=0x0A9AF2115F4687BD29803A206B73A36E6026DFCA',
      'SSL_PUBLIC_KEY=MFkwEwYHKoZI',
    ]) {
      it(`are not seen in ENV ${entry}`, async () => assert.deepEqual(await found({ env: [entry] }), []));
    }
    it('are seen in build arguments and commands that history keeps', async () => {
      for (const step of [
        '|1 NPM_AUTH_TOKEN=q8Jd02hf6s /bin/sh -c npm ci',
        "RUN /bin/sh -c export DB_PASSWORD='q8Jd02hf6s' && make",
        'RUN curl -u deploy:q8Jd02hf6s https://files.corp.net/x',
        'RUN echo root:q8Jd02hf6s | chpasswd',
        'RUN mysqladmin --password=q8Jd02hf6s ping',
        'RUN githubToken=q8Jd02hf6s ./fetch',
      ]) {
        assert.deepEqual(await found({ history: [step] }), inHistory, step);
      }
      assert.deepEqual(
        await found({ history: ['RUN --mount=type=secret,id=token cat /run/secrets/token'] }),
        [],
      );
    });
    it('are seen by their shape wherever they stand, and never repeated', async () => {
      const token = `ghp_${random(36)}`;
      for (const config of [
        { cmd: ['serve', '--github', token] },
        { entrypoint: [token] },
        { labels: { build: token } },
        { history: [`RUN git clone https://x:${token}@github.com/a/b`] },
        { env: [`GH=${token}`] },
      ]) {
        const report = await scanConfig(config);
        assert.ok(idsOf(report).includes('github-token'), JSON.stringify(config));
        assert.ok(!JSON.stringify(report).includes(token));
        assert.ok(report.findings.every(({ kind, location }) => kind !== 'secret' || location === 'config'));
      }
      const old = await scanRaw({ container_config: { Env: [`T=${token}`] }, config: {} });
      assert.ok(idsOf(old).includes('github-token'));
    });
  });

  it('is asked for nothing when nothing can run: artifacts, attestations, indexes', async () => {
    const artifact = buildArtifact({
      artifactType: 'application/vnd.corp.sbom',
      blobs: [{ bytes: Buffer.from('{}'), mediaType: 'application/spdx+json' }],
    });
    assert.deepEqual((await scan(inspector, artifact)).findings, []);
    const attestation = await buildImage({
      layers: [{ bytes: Buffer.from('{}'), mediaType: 'application/vnd.in-toto+json' }],
    });
    assert.deepEqual((await scan(inspector, attestation)).findings, []);
    const index = await scan(inspector, buildIndex([attestation]));
    assert.deepEqual([index.scan.status, index.findings], ['done', []]);
  });

  describe('gives the time of creation', () => {
    const createdAt = async (created: string): Promise<number | undefined> =>
      (await scanConfig({ created })).createdAtMs;
    it('when it can be true', async () => {
      assert.equal(await createdAt('2026-01-02T03:04:05Z'), Date.UTC(2026, 0, 2, 3, 4, 5));
      assert.equal(
        await createdAt('2026-01-02T03:04:05.123456789+02:00'),
        Date.UTC(2026, 0, 2, 1, 4, 5, 123),
      );
    });
    for (const created of [
      '0001-01-01T00:00:00Z',
      '1970-01-01T00:00:00Z',
      '1980-01-01T00:00:00Z',
      '2026-06-01T00:00:01Z',
      '2026-13-01T00:00:00Z',
      'yesterday',
      '',
    ]) {
      it(`but not "${created}"`, async () => assert.equal(await createdAt(created), undefined));
    }
  });

  describe('gives the time of the base image', () => {
    const history = (...times: readonly (string | undefined)[]) => ({
      history: times.map((created) => (created === undefined ? {} : { created })),
    });
    for (const [title, config, expected] of [
      [
        'by its oldest step',
        history('2026-01-02T03:04:05Z', '2026-05-02T03:04:05Z'),
        Date.UTC(2026, 0, 2, 3, 4, 5),
      ],
      ['not where that step has none', history(undefined, '2026-05-02T03:04:05Z'), undefined],
      ['not where it cannot be true', history('1970-01-01T00:00:00Z'), undefined],
      ['not without a history', {}, undefined],
    ] as const) {
      it(title, async () => {
        assert.equal((await scanRaw(config)).baseCreatedAtMs, expected);
      });
    }
  });

  describe('that cannot be read makes the image unscannable:', () => {
    const cases: Readonly<Record<string, unknown>> = {
      'no JSON': 'created: today',
      'a key given twice': '{"config":{"User":"1000"},"config":{"User":"0"}}',
      'a key given twice in another case': '{"config":{"User":"1000","user":"0"}}',
      'a user that is no text': { config: { User: 0 } },
      'an Env that is no list': { config: { Env: 'A=b' } },
      'a config that is a list': { config: [] },
      'more than 4 MiB': `{"comment":"${'x'.repeat(4 * 1024 * 1024)}"}`,
      'deep nesting': '['.repeat(100_000),
      nothing: '',
    };
    for (const [name, config] of Object.entries(cases)) {
      it(name, async () => {
        const report = await scanRaw(config);
        assert.equal(report.scan.status, 'unscannable');
        assert.match(report.scan.reason ?? '', /^config sha256:[0-9a-f]{12}: .+/);
      });
    }
  });
});
