import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createElasticsearchReceiver } from '../../src/outlets/elasticsearch.ts';
import { createOtlpReceiver, toLogsRequest } from '../../src/outlets/otlp.ts';
import { createSyslogReceiver } from '../../src/outlets/syslog.ts';
import { printSyslog } from '../../src/outlets/syslog-message.ts';
import { buildGoCheck } from '../audit/go-check.ts';
import { until } from '../support/until.ts';
import { outletRecord, startHttp } from './lab.ts';

const HOSTILE = 'a\r\n<13>1 - - - - - - forged\0\u001b[2J\u202e\u2028\ud800"]\\|=x';
const MESSAGE = /^<(\d+)>1 (\S+) (\S+) (\S+) (\S+) (\S+) \[(\S+) id="([^"\\\]]*)" index="(\d+)"\] (.*)$/;
const signal = () => AbortSignal.timeout(60_000);

describe('a syslog message', () => {
  for (const format of ['json', 'cef', 'ocsf'] as const) {
    it(`is one of RFC 5424 in ${format}, and no caller begins a second one (A-02)`, () => {
      const record = outletRecord(7, {
        ...{ action: 'pull', outcome: 'refused', reference: HOSTILE, note: HOSTILE, repository: HOSTILE },
        client: { address: '127.0.0.1', userAgent: HOSTILE },
      });
      const message = printSyslog(record, format);
      assert.match(message, /^[\x20-\x7e]+$/);
      const parsed = MESSAGE.exec(message);
      assert.deepEqual(parsed?.slice(1, 10), [
        ...['108', record.record.time, 'n1', 'dockgate', 'w1', 'pull', 'dockgate@32473', 'record-7', '7'],
      ]);
      if (format === 'json') assert.deepEqual(JSON.parse(parsed?.[10] ?? ''), record.record);
    });
  }

  it('is one datagram over UDP', async () => {
    const socket = createSocket('udp4').bind(0, '127.0.0.1');
    const messages: string[] = [];
    socket.on('message', (message) => messages.push(message.toString('latin1')));
    await new Promise((resolve) => socket.once('listening', resolve));
    const { port } = socket.address();
    const receiver = createSyslogReceiver({ protocol: 'udp', host: '127.0.0.1', port, format: 'cef' });
    await receiver.send([outletRecord(0), outletRecord(1)], signal());
    await until(() => messages.length === 2, 'both datagrams are there');
    assert.match(messages[0] ?? '', /^<110>1 .* CEF:0\|dockgate\|/);
    await receiver.close();
    socket.close();
  });
});

describe('OpenTelemetry logs', () => {
  it('are an ExportLogsServiceRequest: times in nanoseconds as text, values of one kind each', () => {
    const wanted = outletRecord(3, { status: 403, outcome: 'refused' });
    const request = JSON.parse(JSON.stringify(toLogsRequest([wanted])));
    const [record] = request.resourceLogs[0].scopeLogs[0].logRecords;
    assert.equal(record.timeUnixNano, `${Date.parse('2026-11-24T11:35:19Z') / 1000}000003000`);
    assert.deepEqual([record.severityNumber, record.severityText], [13, 'WARN']);
    assert.equal(JSON.parse(record.body.stringValue).id, 'record-3');
    const attributes = new Map(
      record.attributes.map(({ key, value }: { key: string; value: object }) => [key, value]),
    );
    assert.deepEqual(attributes.get('http.response.status_code'), { intValue: '403' });
    assert.deepEqual(attributes.get('log.record.uid'), { stringValue: 'record-3' });
  });

  it('are read by the published definitions, which know no other member and no other type', async function () {
    this.timeout(180_000);
    const check = await buildGoCheck(join(import.meta.dirname, 'go'));
    if (typeof check === 'string') {
      console.log(`SKIPPED: ${check}`);
      return this.skip();
    }
    const directory = await mkdtemp(join(tmpdir(), 'dockgate-otlp-'));
    try {
      const path = join(directory, 'body.json');
      const client = { address: '192.0.2.1', userAgent: 'evil\u0000\ud800\r\n' };
      const principal = { kind: 'user', id: 'u1', name: 'alice', via: 'basic' } as const;
      const records = [
        outletRecord(3, { client, principal, method: 'GET' }),
        outletRecord(4, { outcome: 'refused' }),
      ];
      await writeFile(path, JSON.stringify(toLogsRequest(records)));
      const { isGood, said } = await check.run(path);
      assert.equal(isGood, true, said);
      const seconds = Date.parse('2026-11-24T11:35:19Z') / 1000;
      const [allowed, refused] = records.map(({ line }) => line.toString());
      assert.equal(
        said,
        `${seconds}000003000 SEVERITY_NUMBER_INFO ${allowed}\n${seconds}000004000 SEVERITY_NUMBER_WARN ${refused}`,
      );
      await writeFile(path, '{"resourceLogs":[],"more":1}');
      assert.equal((await check.run(path)).isGood, false, 'it is strict');
    } finally {
      await rm(directory, { recursive: true });
      await check.end();
    }
  });

  it('that a receiver refused in part are told of and not sent again', async () => {
    const http = await startHttp((_request, response) =>
      response.writeHead(200).end('{"partialSuccess":{"rejectedLogRecords":"2","errorMessage":"too old"}}'),
    );
    const receiver = createOtlpReceiver({ url: `${http.url}/v1/logs`, authorization: 'Bearer x' });
    assert.deepEqual(await receiver.send([outletRecord(0)], signal()), { count: 2, reason: 'too old' });
    assert.equal(http.requests[0]?.headers.authorization, 'Bearer x');
    await receiver.close();
    await http.close();
  });
});

describe('Elasticsearch', () => {
  const bulk = (statuses: readonly number[]) =>
    JSON.stringify({
      errors: statuses.some((status) => status >= 300),
      items: statuses.map((status) => ({
        create: { status, ...(status >= 300 ? { error: { type: 'kind', reason: 'why' } } : {}) },
      })),
    });
  const sendTo = async (answer: string) => {
    const http = await startHttp((_request, response) => response.writeHead(200).end(answer));
    const receiver = createElasticsearchReceiver({ url: http.url, index: 'audit' });
    try {
      const records = [outletRecord(0, { note: HOSTILE }), outletRecord(1)];
      return { rejected: await receiver.send(records, signal()), http, records };
    } finally {
      await receiver.close();
      await http.close();
    }
  };

  it('gets each record under its own id, two lines each', async () => {
    const { rejected, http, records } = await sendTo(bulk([201, 201]));
    assert.equal(rejected, undefined);
    const lines = (http.requests[0]?.body ?? '').split('\n');
    assert.equal(lines.pop(), '');
    const values = lines.map((line) => JSON.parse(line));
    assert.deepEqual(values[0], { create: { _index: 'audit', _id: 'record-0' } });
    assert.deepEqual(values[1], { '@timestamp': records[0]?.record.time, index: 0, ...records[0]?.record });
    assert.equal(http.requests[0]?.headers['content-type'], 'application/x-ndjson');
  });

  it('may say that a record is there already', async () => {
    assert.equal((await sendTo(bulk([409, 201]))).rejected, undefined);
  });

  it('may refuse a record for ever, which is told of', async () => {
    assert.deepEqual((await sendTo(bulk([400, 201]))).rejected, { count: 1, reason: '400 kind why' });
  });

  for (const [what, answer] of [
    ['has no room now', bulk([429, 201])],
    ['fails inside', bulk([201, 503])],
    ['speaks of other records', bulk([201])],
    ['says nothing that can be read', '<html>'],
    ['answers something else', '{"ok":true}'],
  ] as const) {
    it(`that ${what} gets the records again`, async () => {
      await assert.rejects(sendTo(answer));
    });
  }
});
