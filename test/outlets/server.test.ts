import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Dockgate, startDockgate } from '../support/dockgate.ts';
import { freePort } from '../support/free-port.ts';
import { until } from '../support/until.ts';
import { indexesOf, startHttp } from './lab.ts';

const PASSWORD = 'correct-horse-battery-9';
const RSYSLOG = ['/usr/sbin/rsyslogd', '/sbin/rsyslogd'].find((path) => existsSync(path));

describe('outlets of a running server', function () {
  this.timeout(300_000);
  let server: Dockgate | undefined;
  afterEach(async () => {
    await server?.remove();
    server = undefined;
  });

  it('deliver every record in order over kill -9 of all processes and a receiver that fails, and status says so', async () => {
    let isTaking = true;
    const http = await startHttp((_request, response) => response.writeHead(isTaking ? 200 : 500).end());
    const taken: number[] = [];
    const away = await mkdtemp(join(tmpdir(), 'dockgate-away-'));
    const kept = join(away, 'checkpoints');
    const siem = `{ name: siem, kind: http, url: "${http.url}/in", secret: shared }`;
    const far = `{ name: far, kind: file, path: "${kept}", every: 1s }`;
    const config = `audit: { outlets: [${siem}], witnesses: [${far}] }\n`;
    server = await startDockgate({ config });
    const taking = () => {
      taken.length = 0;
      taken.push(...http.requests.flatMap(({ body }) => indexesOf(body)));
      return taken;
    };
    await server.addUser('alice', PASSWORD, ['reader', '**']);
    await until(() => taking().length > 0, 'something is delivered');
    isTaking = false;
    for (let at = 0; at < 5; at++) await server.request('/v2/', { basic: 'alice:wrong' });
    const failing = server;
    await until(
      async () => /siem +http +FAILING .*answered 500/.test(await failing.run(['status'])),
      'it fails',
    );
    await server.killAll();
    const refused = http.requests.length;
    isTaking = true;
    server = await startDockgate({ config, directory: server.directory });
    await server.request('/v2/', { basic: 'alice:wrong' });
    const again = server;
    await until(async () => {
      const { log } = JSON.parse(await again.run(['status', '--json']));
      return log.outlets[0].isHealthy && log.outlets[0].lag <= 2;
    }, 'it caught up');
    const afterwards = http.requests.slice(refused).flatMap(({ body }) => indexesOf(body));
    const before = http.requests.slice(0, refused).flatMap(({ body }) => indexesOf(body));
    const first = afterwards[0] ?? Number.NaN;
    assert.ok(first <= Math.max(...before) + 1, 'no gap');
    assert.deepEqual(
      afterwards,
      Array.from({ length: afterwards.length }, (_, at) => first + at),
      'in order',
    );
    const metrics = await fetch(`http://127.0.0.1:${server.opsPort}/metrics`).then((answer) => answer.text());
    assert.match(metrics, /^dockgate_audit_outlet_lag_records\b.* \d+$/m);
    assert.match(metrics, /^dockgate_audit_index_lag_records\b.* \d+$/m);
    // What was sent while all that went on is a history that the log continues.
    await until(async () => /far +file +healthy/.test(await again.run(['status'])), 'the witness is there');
    assert.match(await server.run(['audit', 'verify', '--against', kept]), /it continues the checkpoints in/);
    assert.ok((await readFile(kept, 'utf8')).split('dockgate/').length > 2, 'more than one');
    await rm(away, { recursive: true });
    await http.close();
  });

  it('are read by rsyslog as one message a record, whatever callers put into them (A-02)', async function () {
    if (RSYSLOG === undefined) {
      console.log('SKIPPED: rsyslog is not installed; test/setup.sh does that');
      return this.skip();
    }
    const folder = await mkdtemp(join(tmpdir(), 'dockgate-rsyslog-'));
    const port = await freePort();
    const rsyslog = await startRsyslog(RSYSLOG, folder, port);
    try {
      const outlet = `{ name: log, kind: syslog, url: "tcp://127.0.0.1:${port}" }`;
      server = await startDockgate({ config: `audit: { outlets: [${outlet}] }\n` });
      const headers = { 'user-agent': 'evil\t<13>1 - - - - - - forged \u00a0\u0085]' };
      await server.request('/v2/team/app/manifests/x%0d%0ay', { basic: 'mallory:no', headers });
      const lines = async () =>
        (await readFile(join(folder, 'out'), 'utf8').catch(() => ''))
          .split('\n')
          .slice(0, -1)
          .map((line) => line.split('\t'));
      await until(
        async () => (await lines()).some(([, , , message]) => message?.includes('evil')),
        'rsyslog wrote the record',
      );
      const indexes: number[] = [];
      for (const [app, structured, priority, message] of await lines()) {
        assert.equal(app, 'dockgate');
        assert.match(priority ?? '', /^(110|108)$/);
        const record = JSON.parse(message ?? '');
        assert.match(structured ?? '', new RegExp(`id="${record.id}"`));
        indexes.push(Number(/index="(\d+)"/.exec(structured ?? '')?.[1]));
      }
      assert.deepEqual(
        indexes,
        Array.from({ length: indexes.length }, (_, at) => at),
      );
    } finally {
      rsyslog.kill('SIGKILL');
      await rm(folder, { recursive: true, force: true });
    }
  });
});

/** A private rsyslog on a port of its own that writes what it read, a line a message. */
async function startRsyslog(program: string, folder: string, port: number): Promise<ChildProcess> {
  const template = '%app-name%\\t%structured-data%\\t%pri%\\t%msg:::drop-last-lf%\\n';
  await writeFile(
    join(folder, 'conf'),
    `global(workDirectory="${folder}" maxMessageSize="64k")
module(load="imtcp")
input(type="imtcp" address="127.0.0.1" port="${port}")
template(name="plain" type="string" string="${template}")
action(type="omfile" file="${join(folder, 'out')}" template="plain")
`,
  );
  const child = spawn(program, ['-n', '-f', join(folder, 'conf'), '-i', join(folder, 'pid')], {
    stdio: 'ignore',
  });
  return child;
}
