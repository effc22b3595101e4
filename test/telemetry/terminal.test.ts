import assert from 'node:assert/strict';
import { createLogger } from '../../src/telemetry/index.ts';
import { terminalOutput } from '../../src/telemetry/terminal.ts';

describe('the operational log on a terminal', () => {
  const open = () => {
    const texts: string[] = [];
    const output = terminalOutput((text) => texts.push(text));
    return { logger: createLogger({ process: 'w1', output }), last: () => texts.at(-1) ?? '' };
  };

  it('is a plain line with time, level, process, message and fields', () => {
    const { logger, last } = open();
    logger.warn('disk is nearly full', { path: '/data', bytes: 7 });
    assert.match(last(), /^\d\d:\d\d:\d\d warn {2}w1: disk is nearly full \(path=\/data, bytes=7\)\n$/);
  });

  it('prints what an error came from, below it', () => {
    const { logger, last } = open();
    logger.error('not written', {}, new Error('outer', { cause: new Error('disk full') }));
    assert.match(
      last(),
      /not written\n {2}because of Error: outer\n[\s\S]*\n {2}because of Error: disk full\n/,
    );
    logger.error('not written', {}, 'text');
    assert.match(last(), /not written\n {2}because of text\n$/);
  });

  it('lets no text from outside move the cursor (A-02)', () => {
    const { logger, last } = open();
    logger.info('pulled', { note: '\u001b[2Jgone\u0007' });
    assert.match(last(), /note=\?\[2Jgone\?/);
  });
});
