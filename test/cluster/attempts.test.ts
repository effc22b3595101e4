import assert from 'node:assert/strict';
import { createManualClock } from '../../src/base/index.ts';
import {
  createAttempts,
  createRemoteAttempts,
  createRemoteScans,
  type Rpc,
} from '../../src/cluster/index.ts';
import { DEFAULT_ATTEMPT_OPTIONS } from '../../src/limits/index.ts';
import { Fault } from '../../src/oci/index.ts';
import { APP, IMAGE } from '../policy/fixtures.ts';

const clock = createManualClock();
const away: Rpc = {
  call: () => Promise.reject(new Fault('DG_HOUSEKEEPING_UNAVAILABLE', 'UNAVAILABLE', 'away')),
};

/** Calls of these parts without a wire. */
function direct(parts: Readonly<Record<string, (...args: unknown[]) => Promise<unknown>>>): Rpc & {
  readonly timeouts: (number | undefined)[];
} {
  const timeouts: (number | undefined)[] = [];
  return {
    timeouts,
    call(method, args, options) {
      timeouts.push(options?.timeoutMs);
      const part = parts[method];
      return part ? part(...args) : Promise.reject(new Error(`no ${method}`));
    },
  };
}

describe('attempts to sign in', () => {
  it('are counted for the whole node', async () => {
    const shared = createAttempts(DEFAULT_ATTEMPT_OPTIONS, { clock });
    const rpc = direct({
      'attempts.delayMs': (account, source) => shared.delayMs(String(account), String(source)),
      'attempts.failed': (account, source) => shared.failed(String(account), String(source)),
      'attempts.succeeded': (account, source) => shared.succeeded(String(account), String(source)),
    });
    const workers = [1, 2].map(() => createRemoteAttempts(rpc, DEFAULT_ATTEMPT_OPTIONS, { clock }));
    for (let count = 0; count < 6; count++) await workers[count % 2]?.failed('ann', '10.0.0.1');
    assert.ok(((await workers[0]?.delayMs('ann', '10.0.0.1')) ?? 0) > 0);
    await workers[0]?.succeeded('ann', '10.0.0.1');
    assert.equal(await workers[1]?.delayMs('ann', '10.0.0.1'), 0);
  });

  it('are counted in this process alone when the common count is away, and never without limit, F-06', async () => {
    const attempts = createRemoteAttempts(away, DEFAULT_ATTEMPT_OPTIONS, { clock });
    assert.equal(await attempts.delayMs('ann', '10.0.0.1'), 0);
    for (let count = 0; count < 6; count++) await attempts.failed('ann', '10.0.0.1');
    assert.ok((await attempts.delayMs('ann', '10.0.0.1')) > 0);
    await attempts.succeeded('ann', '10.0.0.1');
    assert.equal(await attempts.delayMs('ann', '10.0.0.1'), 0);
  });
});

describe('scan requests of a worker', () => {
  it('know from the configuration which scanners run', () => {
    const scans = createRemoteScans(away, ['inspector']);
    assert.deepEqual(
      ['inspector', '*', 'trivy'].map((name) => scans.isOffered(name)),
      [true, true, false],
    );
    assert.equal(createRemoteScans(away, []).isOffered('*'), false);
  });

  it('may wait longer than other calls', async () => {
    const rpc = direct({
      'scans.wait': async () => ({ isDone: true, restMs: 0 }),
      'scans.request': async () => undefined,
    });
    const scans = createRemoteScans(rpc, []);
    await scans.request(APP, IMAGE, 'pull');
    assert.deepEqual(await scans.wait(IMAGE, 20_000), { isDone: true, restMs: 0 });
    assert.deepEqual(rpc.timeouts, [undefined, 25_000]);
  });

  it('fail when the queue is away', async () => {
    await assert.rejects(createRemoteScans(away, []).request(APP, IMAGE, 'pull'), {
      code: 'DG_HOUSEKEEPING_UNAVAILABLE',
    });
  });

  it('take neither an interruption nor nonsense for the end of a scan', async () => {
    assert.equal((await createRemoteScans(away, []).wait(IMAGE, 1)).isDone, false);
    const scans = createRemoteScans(direct({ 'scans.wait': async () => 'yes' }), []);
    assert.equal((await scans.wait(IMAGE, 1)).isDone, false);
  });
});
