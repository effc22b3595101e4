import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type GuardRun, readTestEvent, whyNoControl, whyUnproved } from './support/proof.ts';

const MOCHA = join(import.meta.dirname, '..', 'node_modules', 'mocha', 'bin', 'mocha.js');
const NOTHING: GuardRun = { passed: 0, failed: 0, timedOut: [], isStopped: false };

describe('the proof that a guard is tested', () => {
  it('is a test that says what is wrong, whatever else took too long', () => {
    assert.equal(whyUnproved({ ...NOTHING, failed: 1 }), undefined);
    assert.equal(whyUnproved({ passed: 3, failed: 1, timedOut: ['a pull'], isStopped: true }), undefined);
  });

  it('is not a timeout, of a test or of the run', () => {
    assert.equal(whyUnproved({ ...NOTHING, timedOut: ['a pull'] }), 'not proved: timed out: a pull');
    assert.match(
      whyUnproved({ ...NOTHING, passed: 2, isStopped: true }) ?? '',
      /^not proved: timed out: its tests/,
    );
  });

  it('is neither that all passed nor that none ran', () => {
    assert.equal(whyUnproved({ ...NOTHING, passed: 7 }), 'all 7 tests passed without it');
    assert.equal(whyUnproved(NOTHING), 'its tests did not run at all');
  });

  it('needs a test that passes by itself while the guard is there', () => {
    assert.equal(whyNoControl({ ...NOTHING, passed: 1 }), undefined);
    assert.match(whyNoControl({ ...NOTHING, passed: 1, failed: 1 }) ?? '', /fails by itself also with it/);
    assert.match(whyNoControl({ ...NOTHING, passed: 1, timedOut: ['a pull'] }) ?? '', /too long by itself/);
    assert.match(whyNoControl({ ...NOTHING, isStopped: true }) ?? '', /too long by itself/);
    assert.match(whyNoControl(NOTHING) ?? '', /no test has the title/);
  });

  it('is also a failure whose line is cut, as readline does at a line separator', () => {
    assert.deepEqual(readTestEvent('["fail",{"title":"one","fullTitle":"one","err":"saw '), {
      kind: 'failed',
    });
  });

  it('knows a timeout of a test and of a hook from a failure, as mocha prints them', () => {
    const directory = mkdtempSync(join(tmpdir(), 'dockgate-proof-'));
    try {
      const file = join(directory, 'example.test.js');
      writeFileSync(
        file,
        `describe('one', () => {
          it('passes', () => {});
          it('fails', () => { throw new Error('Timeout of 5ms exceeded: so says the server'); });
          it('never ends', () => new Promise(() => setTimeout(() => {}, 1e6)));
          describe('two', () => {
            before(() => new Promise(() => setTimeout(() => {}, 1e6)));
            it('never begins', () => {});
          });
        });`,
      );
      const args = [MOCHA, '--no-config', '--reporter', 'json-stream', '--exit', '--timeout', '200', file];
      const { stdout } = spawnSync(process.execPath, args, { encoding: 'utf8', cwd: directory });
      assert.deepEqual(stdout.split('\n').map(readTestEvent).filter(Boolean), [
        { kind: 'passed' },
        { kind: 'failed' },
        { kind: 'timed-out', title: 'one never ends' },
        { kind: 'timed-out', title: 'one two "before all" hook for "never begins"' },
      ]);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
