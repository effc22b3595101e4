import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createManualClock } from '../../src/base/index.ts';
import { parsePattern, parseRepository } from '../../src/oci/index.ts';
import {
  createTraffic,
  createTrafficCounts,
  setClientAddress,
  type Traffic,
  type TrafficCounts,
  type TrafficOptions,
} from '../../src/traffic/index.ts';
import { until } from '../support/until.ts';

interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly socket: { bytesRead: number; bytesWritten: number };
  end(): void;
}

function call(address = '192.0.2.7'): Call {
  const socket = { bytesRead: 100, bytesWritten: 100 };
  // Only what is looked at: a connection that counts its bytes, and an answer that ends.
  const request = { socket } as unknown as IncomingMessage;
  const response = new EventEmitter() as unknown as ServerResponse;
  setClientAddress(request, address);
  return { request, response, socket, end: () => void response.emit('close') };
}

function pattern(text: string) {
  const parsed = parsePattern(text);
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.pattern;
}

function repository(name: string) {
  const parsed = parseRepository(name);
  if (!parsed) throw new Error(name);
  return parsed;
}

const ALICE = { kind: 'user', id: 'a', name: 'alice' };
const BOB = { kind: 'robot', id: 'b', name: 'bob' };

describe('traffic', () => {
  const clock = createManualClock(0);
  let counts: TrafficCounts;
  let opened: Traffic[] = [];
  const open = (options: Partial<TrafficOptions>) => {
    const name = `worker${opened.length}`;
    const traffic = createTraffic(
      { name, address: {}, principal: {}, repositories: [], ...options },
      { counts, clock },
    );
    opened.push(traffic);
    return traffic;
  };
  beforeEach(() => {
    counts = createTrafficCounts({ clock });
  });
  afterEach(() => {
    for (const traffic of opened) traffic.close();
    opened = [];
  });

  const arrive = (traffic: Traffic, address?: string) => {
    const made = call(address);
    return { ...made, refused: traffic.arrive(made.request, made.response) };
  };

  it('of one address is limited by requests over a window, with a sentence and when to come back; another is not', () => {
    const traffic = open({ address: { requests: 2 } });
    for (let count = 0; count < 20; count += 1) assert.equal(arrive(traffic).refused, undefined);
    clock.advance(7500);
    const { refused } = arrive(traffic);
    assert.deepEqual(refused, {
      reason: 'limit.requests',
      refusal: {
        code: 'TOOMANYREQUESTS',
        status: 429,
        message:
          'dockgate: too many requests of address 192.0.2.7: at most 2 a second over 10 s; try again in 3 s',
        headers: { 'retry-after': '3' },
      },
    });
    assert.equal(arrive(traffic, '192.0.2.8').refused, undefined);
    clock.advance(2500);
    assert.equal(arrive(traffic).refused, undefined);
  });

  it('of one IPv6 network is one', () => {
    const traffic = open({ address: { streams: 1 } });
    assert.equal(arrive(traffic, '2001:db8::1').refused, undefined);
    assert.equal(arrive(traffic, '2001:db8::2').refused?.reason, 'limit.streams');
    assert.equal(arrive(traffic, '2001:db8:0:1::1').refused, undefined);
  });

  it('that is under way is limited until it has ended, however it ends', () => {
    const traffic = open({ principal: { streams: 1 } });
    const first = arrive(traffic);
    assert.equal(traffic.claim(first.response, ALICE), undefined);
    const second = arrive(traffic);
    assert.match(
      String(traffic.claim(second.response, ALICE)?.refusal.message),
      /^dockgate: too many requests of user alice at once: at most 1; try again in 2 s$/,
    );
    assert.equal(traffic.claim(arrive(traffic).response, BOB), undefined);
    first.end();
    assert.equal(traffic.claim(arrive(traffic).response, ALICE), undefined);
  });

  it('is counted in bytes of both directions, while they move', async () => {
    const traffic = open({ principal: { bytes: 1024 } });
    const running = arrive(traffic);
    assert.equal(traffic.claim(running.response, ALICE), undefined);
    running.socket.bytesRead += 5 * 1024;
    running.socket.bytesWritten += 5 * 1024;
    const refused = () => traffic.claim(arrive(traffic).response, ALICE);
    await until(() => refused() !== undefined, 'what moves is counted');
    assert.match(String(refused()?.refusal.message), /too much traffic of user alice: at most 1KiB a second/);
    clock.advance(10_000);
    assert.equal(refused(), undefined);
    running.end();
  });

  it('of anonymous callers is limited by address only: together they would starve each other', () => {
    const traffic = open({ principal: { streams: 1 } });
    const anonymous = { kind: 'anonymous', id: '', name: 'anonymous' };
    for (let count = 0; count < 3; count += 1) {
      assert.equal(traffic.claim(arrive(traffic).response, anonymous), undefined);
    }
  });

  it('in repositories is limited for all of a pattern together, each pattern that matches', () => {
    const traffic = open({
      repositories: [
        { pattern: pattern('team/**'), allowance: { streams: 2 } },
        { pattern: pattern('team/app'), allowance: { streams: 1 } },
      ],
    });
    const enter = (name: string) =>
      traffic.enter(arrive(traffic).response, repository(name))?.refusal.message;
    assert.equal(enter('team/app'), undefined);
    assert.match(String(enter('team/app')), /of repositories team\/app at once: at most 1/);
    assert.equal(enter('team/db'), undefined);
    assert.match(String(enter('team/db')), /of repositories team\/\*\* at once: at most 2/);
    assert.equal(enter('other/app'), undefined);
  });

  describe('in several processes', () => {
    const claim = (traffic: Traffic) => {
      const made = arrive(traffic);
      return { ...made, reason: traffic.claim(made.response, ALICE)?.reason };
    };
    const claimAndEnd = (traffic: Traffic) => {
      const claimed = claim(traffic);
      claimed.end();
      return claimed.reason;
    };

    it('is under way in all of them together', async () => {
      const options = { principal: { streams: 2 } };
      const [one, other] = [open(options), open(options)];
      const running = [claim(one), claim(one)];
      await until(() => claimAndEnd(other) === 'limit.streams', 'the other process knows');
      for (const each of running) each.end();
      await until(() => claimAndEnd(other) === undefined, 'the other process knows that they have ended');
    });

    it('is counted by all of them together', async () => {
      const options = { principal: { requests: 1000 } };
      const [one, other] = [open(options), open(options)];
      for (let count = 0; count < 10_000; count += 1) assert.equal(claimAndEnd(one), undefined);
      await until(() => claimAndEnd(other) === 'limit.requests', 'the other process knows');
      clock.advance(10_000);
      assert.equal(claimAndEnd(one), undefined);
    });
  });

  it('is limited by what a process knows itself when the common count is away', () => {
    counts = { share: async () => Promise.reject(new Error('away')) };
    const traffic = open({ address: { streams: 1 } });
    assert.equal(arrive(traffic).refused, undefined);
    assert.equal(arrive(traffic).refused?.reason, 'limit.streams');
  });

  it('of a process that has ended is no longer under way', async () => {
    const share = (process: string, streams: number) =>
      counts.share(process, [{ key: 'k', requests: 1, bytes: 10, streams }]);
    await share('one', 3);
    assert.deepEqual(await share('other', 0), [
      { key: 'k', requests: 2, bytes: 20, streams: 3, endsInMs: 10_000 },
    ]);
    clock.advance(5001);
    assert.deepEqual((await share('other', 0))[0]?.streams, 0);
    clock.advance(5000);
    assert.deepEqual((await share('other', 0))[0]?.requests, 1);
  });
});
