import assert from 'node:assert/strict';
import { type LoggedRecord, waitForLog } from '../support/access-log.ts';
import { type Dockgate, startDockgate } from '../support/dockgate.ts';
import { connectRaw, type RawAnswer, summaryOf } from '../support/raw-client.ts';
import { type RawUpstream, startRawUpstream } from '../support/raw-upstream.ts';
import { WIRE_CASES, type WireCase } from './wire-cases.ts';

const PASSWORD = 'correct-horse-battery-9';
/** How long a connection that is to end may take, and how long one that is not is watched. */
const ENDS_MS_MAX = 60_000;
const STAYS_MS = 150;

interface Seen {
  readonly answers: readonly RawAnswer[];
  readonly isEnded: boolean | undefined;
  /** Heads that reached the registry. */
  readonly upstream: readonly string[];
  readonly upstreamBytes: string;
}

/** The client's address, by which the records of a case are found. */
function addressOf(index: number): string {
  return `127.${1 + Math.floor(index / 250)}.0.${1 + (index % 250)}`;
}

describe('the wire', function () {
  this.timeout(180_000);
  const seen: Seen[] = [];
  let records: readonly LoggedRecord[];
  let secrets: readonly string[];

  /** All cases first, then the log once: records are found a moment after they are durable. */
  before(async () => {
    const upstream = await startRawUpstream((_request, socket) => {
      socket.write('HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}');
    });
    const server = await startDockgate({ workers: 1, config: `upstreams:\n  - url: ${upstream.url}\n` });
    try {
      await server.addUser('alice', PASSWORD, ['maintainer', 'pub/**']);
      const basic = `alice:${PASSWORD}`;
      const token = await server.token(basic, 'repository:pub/app:pull,push,delete');
      const pull = await server.token(basic, 'repository:pub/app:pull');
      secrets = [token, pull];
      for (const [index, each] of WIRE_CASES.entries()) {
        seen.push(await run(server, upstream, { ...each, bytes: fill(each.bytes, { token, pull }) }, index));
      }
      const decisions = WIRE_CASES.reduce((sum, each) => sum + expectedRecords(each), 0);
      records = await waitForLog(server, (log) => ofCases(log).length >= decisions);
    } finally {
      await server.remove();
      await upstream.close();
    }
  });

  for (const [index, each] of WIRE_CASES.entries()) {
    const { id, title, answers, ends } = each;
    it(`${id}: ${title}: ${answers.join(', ')}`, () => {
      const { answers: got, isEnded, upstream, upstreamBytes } = seen[index] ?? assert.fail('not sent');
      assert.deepEqual(got.map(summaryOf), answers);
      if (ends !== undefined) assert.equal(isEnded, ends, `the connection ends: ${isEnded}`);
      assert.deepEqual(upstream, each.upstream ?? [], 'what reached the registry');
      for (const text of [...secrets, 'evil', '10.1.2.3', 'x-dockgate', 'secret/'])
        assert.ok(!upstreamBytes.toLowerCase().includes(text.toLowerCase()), `${text} reached the registry`);
      for (const answer of got) {
        for (const secret of secrets) assert.ok(!answer.body.includes(secret), 'a token in an answer');
        assert.doesNotMatch(answer.body, /node_modules|\.ts:\d|127\.0\.0\.1/);
      }
      const decisions = ofCases(records).filter(({ address }) => address === addressOf(index));
      assert.equal(decisions.length, expectedRecords(each), JSON.stringify(decisions));
    });
  }
});

function expectedRecords({ records, answers }: WireCase): number {
  return records ?? answers.length;
}

function ofCases(log: readonly LoggedRecord[]): readonly LoggedRecord[] {
  const own = new Set(WIRE_CASES.map((_, index) => addressOf(index)));
  return log.filter(({ kind, address }) => kind === 'decision' && own.has(address ?? ''));
}

function fill(text: string, tokens: { readonly token: string; readonly pull: string }): string {
  return text.replaceAll('{token}', tokens.token).replaceAll('{pull}', tokens.pull);
}

async function run(server: Dockgate, upstream: RawUpstream, each: WireCase, index: number): Promise<Seen> {
  const [headsBefore, bytesBefore] = [upstream.requests.length, upstream.received().length];
  const connection = await connectRaw(server, {
    from: addressOf(index),
    ...(each.isHead === undefined ? {} : { isHead: each.isHead }),
  });
  try {
    connection.send(Buffer.from(each.bytes, 'latin1'));
    await connection.waitForAnswers(each.answers.length);
    const isEnded =
      each.ends === undefined ? undefined : await connection.waitForEnd(each.ends ? ENDS_MS_MAX : STAYS_MS);
    return {
      answers: connection.answers(),
      isEnded,
      upstream: upstream.requests.slice(headsBefore).map(({ line }) => line),
      upstreamBytes: upstream.received().slice(bytesBefore),
    };
  } catch (error) {
    throw new Error(`${each.id} ${each.title}`, { cause: error });
  } finally {
    connection.destroy();
  }
}
