import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { toCef } from '../../src/audit/cef.ts';
import { csvCell, csvHead, toCsv } from '../../src/audit/csv.ts';
import {
  checkProof,
  type ExportOptions,
  exportRecords,
  NoProof,
  type RecordsProgress,
} from '../../src/audit/index.ts';
import { encodeLine } from '../../src/audit/line.ts';
import { toOcsf } from '../../src/audit/ocsf.ts';
import type { AccessRecord, AuditEntry } from '../../src/audit/record.ts';
import { tilePath } from '../../src/audit/tiles.ts';
import { type BuiltLog, buildLog } from './built-log.ts';
import * as independent from './independent.ts';
import { entry } from './lab.ts';

/** What could end a line, a cell, a key or a terminal's patience. */
const HOSTILE = `=cmd|'/c calc'!A1\r\n\0\u001b]0;x\u0007\u009b\u202e\u2028"|\\= ,;\ud800`;

const record = (rest: Partial<AuditEntry>): AccessRecord =>
  encodeLine(entry(rest), { id: 'a', time: '2026-11-24T11:35:19.123456Z', node: 'n1', writer: 'w1', seq: 7 })
    .record;

const hostileRecord = record({
  requestId: HOSTILE,
  action: HOSTILE,
  reason: HOSTILE,
  principal: { kind: HOSTILE, id: HOSTILE, name: HOSTILE, via: 'basic', tokenId: HOSTILE },
  client: { address: HOSTILE, userAgent: HOSTILE },
  method: HOSTILE,
  repository: HOSTILE,
  reference: HOSTILE,
  digest: HOSTILE,
  because: HOSTILE,
  verdict: { outcome: HOSTILE, reasons: [{ policy: HOSTILE, rule: HOSTILE, findings: [HOSTILE] }] },
  note: HOSTILE,
});

describe('an export of the access log', () => {
  let built: BuiltLog;
  let entries: readonly Buffer[];
  before(async () => {
    built = await buildLog();
    await built.growTo(700, (index) => ({
      action: index % 7 === 0 ? 'push' : 'pull',
      outcome: index % 2 === 0 ? 'allowed' : 'refused',
      repository: `team/app-${index % 3}`,
      principal: { kind: 'user', id: 'u', name: index % 5 === 0 ? 'alice' : 'bob', via: 'token' },
      client: { address: `10.0.0.${index % 4}` },
      digest: `sha256:${index % 6}`,
    }));
    entries = independent.readEntries(built.log, 700);
  });
  after(() => built.end());

  const exported = async (options: Partial<ExportOptions> = {}): Promise<readonly string[]> => {
    const chunks: string[] = [];
    const { directory, publicKey } = built;
    for await (const chunk of exportRecords({
      directory,
      publicKey,
      format: 'jsonl',
      filter: {},
      ...options,
    })) {
      assert.ok(chunk.endsWith('\n'));
      chunks.push(chunk);
    }
    return chunks.join('').split('\n').slice(0, -1);
  };

  it('has every record once, in order, as the exact line that is in the log', async () => {
    const progress: RecordsProgress[] = [];
    const lines = await exported({ onProgress: (each) => progress.push(each) });
    assert.deepEqual(
      lines,
      entries.map((line, index) => `{"index":${index},"record":${line.toString('latin1')}}`),
    );
    assert.deepEqual(progress.at(-1), { done: 700, total: 700, matched: 700, unreadable: 0 });
  });

  it('has with each record a proof that stands for itself', async () => {
    const lines = await exported({ withProofs: true });
    assert.equal(lines.length, 700);
    for (const line of lines) {
      const { index, record: shown, proof } = JSON.parse(line);
      const result = checkProof(proof, { publicKey: built.publicKey });
      assert.ok(result.isGood && result.kind === 'inclusion' && result.index === index);
      assert.deepEqual(result.record, shown);
    }
  });

  it('holds exactly the records that were asked for', async () => {
    const all = (await exported()).map((line): { record: AccessRecord } => JSON.parse(line));
    const cases: readonly [ExportOptions['filter'], (record: AccessRecord) => boolean][] = [
      [{ user: 'alice' }, (each) => each.principal?.name === 'alice'],
      [{ action: 'push' }, (each) => each.action === 'push'],
      [
        { outcome: 'refused', repository: 'team/app-1' },
        (each) => each.outcome === 'refused' && each.repository === 'team/app-1',
      ],
      [{ digest: 'sha256:4' }, (each) => each.digest === 'sha256:4'],
      [{ address: '10.0.0.3' }, (each) => each.client?.address === '10.0.0.3'],
      [{ user: '' }, () => false],
      [{ untilMs: 0 }, () => false],
      [{ sinceMs: Date.parse(all[0]?.record.time ?? '') }, () => true],
      [{ sinceMs: Date.parse(all[0]?.record.time ?? '') + 1 }, () => false],
    ];
    for (const [filter, isWanted] of cases) {
      const found = (await exported({ filter })).map((line) => JSON.parse(line));
      assert.deepEqual(
        found,
        all.filter((each) => isWanted(each.record)),
        JSON.stringify(filter),
      );
    }
  });

  it('has one line a record in each format', async () => {
    for (const [format, head] of [
      ['csv', 1],
      ['cef', 0],
      ['ocsf', 0],
    ] as const) {
      const lines = await exported({ format });
      assert.equal(lines.length, 700 + head, format);
    }
  });

  it('is refused for another key, for no log and where the log is damaged', async () => {
    const stranger = await buildLog();
    try {
      await stranger.growTo(300);
      const { directory, publicKey } = stranger;
      await assert.rejects(exported({ directory }), NoProof);
      await assert.rejects(exported({ directory: join(directory, 'no'), publicKey }), /no checkpoint/);
      await assert.rejects(exported({ directory, publicKey: 'x' }), /no Ed25519 key/);
      await rm(join(stranger.log, tilePath('entries', 0)));
      await assert.rejects(
        exported({ directory, publicKey }),
        (error) => error instanceof NoProof && /damaged/.test(error.message),
      );
    } finally {
      await stranger.end();
    }
  });

  it('counts what is no record and leaves it out', async () => {
    const other = await buildLog('n2');
    try {
      await other.growTo(3, (index) => (index === 1 ? 'a line that is no record' : {}));
      const progress: RecordsProgress[] = [];
      const { directory, publicKey } = other;
      const lines = await exported({ directory, publicKey, onProgress: (each) => progress.push(each) });
      assert.equal(lines.length, 2);
      assert.deepEqual(progress.at(-1), { done: 3, total: 3, matched: 2, unreadable: 1 });
    } finally {
      await other.end();
    }
  });
});

describe('a cell of CSV', () => {
  it('never begins a formula, a second cell or a second line (A-03)', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        fc.constantFrom('', '=', '+', '-', '@', '\t=', '\r', ' =1', '"', HOSTILE),
        (text, start) => {
          const cell = csvCell(start + text);
          assert.match(cell, /^"(?:[^"]|"")*"$/);
          assert.match(cell, /^[\x20-\x7e]*$/);
          assert.doesNotMatch(cell, /^"\s*[=+\-@|%]/);
        },
      ),
    );
    assert.equal(csvCell("=cmd|'/c calc'!A1"), `"'=cmd|'/c calc'!A1"`);
    assert.equal(csvCell('a "b"'), '"a ""b"""');
    assert.equal(csvCell('\ttab'), '"\\ttab"');
    assert.equal(csvCell(-5), '"-5"');
    assert.equal(csvCell(undefined), '""');
    assert.equal(csvCell(false), '"false"');
  });

  it('has a heading of its own in a row as long as the head', () => {
    const cells = (row: string): number => (row.match(/"(?:[^"]|"")*"/g) ?? []).length;
    assert.equal(cells(toCsv(0, hostileRecord)), cells(csvHead()));
    assert.equal(cells(toCsv(0, record({}))), cells(csvHead()));
  });
});

describe('an event of CEF', () => {
  it('has the head and the keys of its record', () => {
    const line = toCef(
      record({
        action: 'pull',
        outcome: 'refused',
        status: 403,
        reason: 'policy.secrets',
        principal: { kind: 'user', id: 'u1', name: 'alice', via: 'token', tokenId: 't1' },
        client: { address: '10.0.0.1', userAgent: 'docker/28' },
        verdict: { outcome: 'block', reasons: [{ policy: 'default', rule: 'secrets', findings: ['x'] }] },
      }),
    );
    assert.match(
      line,
      /^CEF:0\|dockgate\|dockgate\|1\|pull\|pull refused\|6\|rt=1795520119123 externalId=a act=pull /,
    );
    for (const pair of [
      'suser=alice',
      'src=10.0.0.1',
      'cs1Label=repository cs1=team/app',
      'cs4=default/secrets',
      'cn1=403',
    ]) {
      assert.ok(line.includes(` ${pair}`), pair);
    }
    assert.match(toCef(record({ client: { address: '::1' } })), / c6a2=::1 c6a2Label=Source IPv6 Address /);
    assert.match(toCef(record({ action: 'log.heartbeat', kind: 'system', status: 0 })), /cat=system$/);
  });

  it('is one line, with seven bars and no key that a caller made up, whatever is in its fields (A-02)', () => {
    const line = toCef(hostileRecord);
    assert.match(line, /^[\x20-\x7e]*$/);
    const [head = ''] = line.split(/(?<=^(?:(?:[^\\|]|\\.)*\|){7})/);
    assert.equal((head.replace(/\\./g, '').match(/\|/g) ?? []).length, 7);
    const keys = [
      ...line
        .slice(head.length)
        .replace(/\\./g, '')
        .matchAll(/(?:^| )(\w+)=/g),
    ].map(([, key]) => key);
    assert.ok(keys.length > 20 && new Set(keys).size === keys.length, keys.join(' '));
  });
});

describe('an event of OCSF', () => {
  it('has what its class requires', () => {
    const cases: readonly [Partial<AuditEntry>, number, number][] = [
      [{ action: 'pull', method: 'GET' }, 6003, 2],
      [{ action: 'pull', method: 'HEAD', client: { address: '10.0.0.1' } }, 6003, 2],
      [{ action: 'push', method: 'POST' }, 6003, 1],
      [{ action: 'push', method: 'PUT' }, 6003, 3],
      [{ action: 'delete', method: 'DELETE' }, 6003, 4],
      [{ action: 'scan' }, 6003, 99],
      [{ action: 'sign-in', outcome: 'refused', status: 401 }, 3002, 1],
      [{ action: 'token', principal: { kind: 'robot', id: 'r', name: 'ci', via: 'robot' } }, 3002, 1],
      [{ kind: 'system', action: 'log.heartbeat', status: 0 }, 0, 99],
      [{ kind: 'summary', action: 'flood', count: 9, outcome: 'refused' }, 0, 99],
    ];
    for (const [rest, classUid, activityId] of cases) {
      const event = toOcsf(record(rest));
      const said = JSON.stringify(rest);
      assert.deepEqual([event.class_uid, event.activity_id], [classUid, activityId], said);
      assert.equal(event.type_uid, classUid * 100 + activityId, said);
      assert.equal(event.category_uid, Math.floor(classUid / 1000), said);
      for (const key of ['time', 'severity_id', 'status_id', 'metadata', 'message'])
        assert.ok(key in event, key);
      if (classUid === 6003)
        for (const key of ['actor', 'api', 'src_endpoint']) assert.ok(key in event, `${said} ${key}`);
      if (classUid === 3002) for (const key of ['user', 'service']) assert.ok(key in event, `${said} ${key}`);
    }
  });

  it('loses nothing of its record: each value is found in the event again', () => {
    const full = record({
      status: 403,
      outcome: 'refused',
      reason: 'policy.secrets',
      principal: { kind: 'robot', id: 'p-id', name: 'p-name', via: 'token', tokenId: 'p-token' },
      client: { address: '10.9.8.7', userAgent: 'agent/1' },
      method: 'GET',
      reference: 'v1',
      digest: 'sha256:aa',
      because: 'grant 5',
      verdict: {
        outcome: 'block',
        reasons: [{ policy: 'default', rule: 'secrets', findings: ['finding-1'] }],
      },
      change: { before: 'was', after: 'is' },
      bytes: 12_345,
      durationMs: 678,
      isAborted: true,
      count: 91,
      note: 'a note',
    });
    const text = JSON.stringify(toOcsf(full));
    const values = (value: unknown): readonly unknown[] =>
      typeof value === 'object' && value !== null ? Object.values(value).flatMap(values) : [value];
    for (const value of values(full).filter((each) => each !== 'refused'))
      assert.ok(text.includes(String(value)), String(value));
    assert.ok(text.includes('Failure'));
  });
});
