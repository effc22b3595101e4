import assert from 'node:assert/strict';
import { createLogger } from '../../src/telemetry/index.ts';

describe('the operational log', () => {
  const open = (level?: 'debug' | 'warn') => {
    const lines: string[] = [];
    const output = { write: (line: string) => lines.push(line) };
    const logger = createLogger({ process: 'w1', output, ...(level ? { level } : {}) });
    return { logger, lines, last: () => JSON.parse(lines.at(-1) ?? '{}') };
  };

  it('is one JSON line a message, with time, level and process', () => {
    const { logger, last } = open();
    logger.info('worker started', { pid: 7 });
    const { time, ...others } = last();
    assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.deepEqual(others, { level: 'info', process: 'w1', pid: 7, message: 'worker started' });
  });

  it('hides every field that is not on the list', () => {
    const { logger, lines, last } = open();
    logger.warn('odd', { authorization: 'Basic c2VjcmV0', digest: 'sha256:1' });
    assert.equal(last().authorization, '[hidden]');
    assert.equal(last().digest, 'sha256:1');
    assert.doesNotMatch(lines.join(), /c2VjcmV0/);
  });

  it('prints an error with its causes and stack', () => {
    const { logger, last } = open();
    const inner = Object.assign(new Error('disk full'), { code: 'ENOSPC' });
    logger.error('not written', {}, new Error('outer', { cause: inner }));
    const [outer, cause] = last().cause;
    assert.equal(outer.message, 'outer');
    assert.match(outer.stack, /logger\.test\.ts/);
    assert.deepEqual([cause.message, cause.code], ['disk full', 'ENOSPC']);
  });

  it('survives causes that go in a circle and things that are no errors', () => {
    const { logger, last } = open();
    const circle = new Error('round');
    circle.cause = circle;
    logger.error('a', {}, circle);
    assert.equal(last().cause.length, 5);
    logger.error('b', {}, 'text');
    assert.deepEqual(last().cause, [{ message: 'text' }]);
  });

  it('stays one line whatever a text holds, and clips it', () => {
    const { logger, lines, last } = open();
    logger.info('a\nb', { note: `\u2028\n${'x'.repeat(5000)}` });
    assert.equal(lines.length, 1);
    assert.equal(lines[0]?.trimEnd().includes('\n'), false);
    assert.equal(last().note.length, 1003);
  });

  it('leaves out what is below its level', () => {
    const { logger, lines } = open('warn');
    logger.debug('a');
    logger.info('b');
    assert.deepEqual(lines, []);
    const all = open('debug');
    all.logger.debug('a');
    assert.equal(all.lines.length, 1);
  });
});
