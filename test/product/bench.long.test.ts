import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../support/run.ts';

const BENCH = join(import.meta.dirname, '../../bench/run.ts');

describe('the bench', function () {
  this.timeout(120_000);

  it('measures every server that is here, and says what it could not measure', async () => {
    const { code, output } = await run(process.execPath, [BENCH, '--quick', '--json']);
    assert.equal(code, 0, output);
    const results = JSON.parse(output.slice(output.indexOf('{'), output.lastIndexOf('}') + 1));
    const names = results.peers.map((peer: { readonly name: string }) => peer.name);
    assert.equal(names[0], 'dockgate');
    const hasRegistry = !results.missing.some((text: string) => text.startsWith('docker-registry'));
    assert.equal(names.includes('docker-registry'), hasRegistry);
    const hasWrk = !results.missing.some((text: string) => text.startsWith('manifests'));
    for (const { byTag, byDigest, blob, residentBytes } of results.peers) {
      for (const one of [...byTag, ...byDigest])
        assert.ok(one.requestsPerSecond > 0 && one.cpuMicroseconds >= 0);
      assert.equal(byTag.length, hasWrk ? 1 : 0);
      for (const one of blob) assert.ok(one.megabytesPerSecond > 0);
      assert.ok(residentBytes > 0);
    }
  });

  it('measures scans, and verdicts from memory, Redis and SQL', async function () {
    if (!existsSync('/usr/bin/redis-server')) this.skip();
    const { code, output } = await run(process.execPath, [join(BENCH, '../scan.ts'), '--quick']);
    assert.equal(code, 0, output);
    for (const row of ['source and text', 'a program', 'from memory', 'from Redis', 'from SQL']) {
      assert.match(output, new RegExp(`^\\| ${row}.*\\| [\\d.]+ \\| [\\d.]+ \\|$`, 'm'), row);
    }
  });

  it('refuses what it does not understand', async () => {
    for (const args of [['--rounds', '0'], ['--rounds', 'many'], ['--fast']]) {
      assert.notEqual((await run(process.execPath, [BENCH, ...args])).code, 0);
    }
  });
});
