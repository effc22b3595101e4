import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CommandFailed } from '../../src/cli/client.ts';
import { createProgram } from '../../src/cli/program.ts';
import { type BuiltLog, buildLog } from '../audit/built-log.ts';

describe('dockgate audit prove, check and consistency', () => {
  let built: BuiltLog;
  let place: readonly string[];
  const file = (name: string): string => join(built.directory, name);

  /** Runs one command line; what it printed. */
  const run = async (args: readonly string[], input = ''): Promise<string> => {
    const lines: string[] = [];
    const output = { line: (text: string) => lines.push(text), note: () => undefined };
    const program = createProgram('0', { env: {}, output, readInput: async () => input });
    await program.parseAsync(['audit', ...args], { from: 'user' });
    return lines.map((line) => `${line}\n`).join('');
  };
  const key = (): readonly string[] => ['--public-key', file('key')];

  before(async () => {
    built = await buildLog();
    await built.growTo(300);
    await built.growTo(700, () => ({ repository: 'team/\u001b[31mred', client: { address: '127.0.0.1' } }));
    place = ['--log', built.directory];
    await writeFile(file('key'), built.publicKey);
    await writeFile(file('older'), built.checkpoints.get(300) ?? '');
    await writeFile(file('newer'), built.checkpoints.get(700) ?? '');
  });
  after(() => built.end());

  it('proves a record that anybody with the public key can check, from a file or a pipe', async () => {
    const proof = await run(['prove', 'record-650', ...place]);
    assert.equal(await run(['prove', '650', ...place]), proof);
    assert.equal(await run(['prove', 'request-650', ...place]), proof);
    await writeFile(file('proof'), proof);
    const said = await run(['check', file('proof'), ...key()]);
    assert.match(said, /^record 650 of dockgate\/n1 is in its log, under the checkpoint at 700 records:\n/);
    // What a caller put into a field must not reach the terminal.
    assert.ok(!said.includes('\u001b') && said.includes('\\u001b[31mred'));
    assert.equal(await run(['check', '-', ...key()], proof), said);
    const { record, ...rest } = JSON.parse(await run(['check', file('proof'), ...key(), '--json']));
    assert.equal(record.id, 'record-650');
    assert.deepEqual(rest, { isGood: true, kind: 'inclusion', origin: 'dockgate/n1', size: 700, index: 650 });
    assert.deepEqual(JSON.parse(await run(['prove', '650', ...place, '--json'])), { proof });
  });

  it('proves that a log continues an older one', async () => {
    const proof = await run(['consistency', file('older'), ...place]);
    assert.equal(await run(['consistency', file('older'), file('newer'), ...place]), proof);
    const said = await run(['check', '-', '--against', file('older'), ...key()], proof);
    assert.equal(said, 'the log of dockgate/n1 with 700 records continues the one with 300\n');
  });

  it('fails with a sentence for what is no record, no proof, no file and no history', async () => {
    const fails = (args: readonly string[], message: RegExp, input = ''): Promise<void> =>
      assert.rejects(
        run(args, input),
        (error) => error instanceof CommandFailed && message.test(error.message),
      );
    await fails(['prove', 'record-9999', ...place], /no record below the checkpoint has the id record-9999/);
    await fails(['prove', '700', ...place], /covers records 0 to 699, not 700/);
    await fails(['check', '-', ...key()], /the proof is not good: this is neither/, 'x');
    await fails(['check', file('absent'), ...key()], /cannot read .*absent/);
    await fails(['consistency', file('newer'), file('older'), ...place], /exchange them/);
    await fails(['prove', '1', '--log', file('absent')], /absent holds no access log/);
  });
});
