import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createProgram } from '../../src/cli/program.ts';

describe('dockgate config explain', () => {
  let directory: string;
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'dockgate-config-'));
  });
  after(() => rmSync(directory, { recursive: true }));

  const explain = async (text: string, ...args: readonly string[]): Promise<string> => {
    const path = join(directory, 'dockgate.yaml');
    writeFileSync(path, text);
    const lines: string[] = [];
    const output = { line: (line: string) => lines.push(line), note: (line: string) => lines.push(line) };
    const context = { env: { DOCKGATE_SERVICE: 'reg' }, output, readInput: async () => '' };
    const command = ['node', 'dockgate', ...args, 'config', 'explain', '--config', path, '--port', '99'];
    await createProgram('1', context).parseAsync(command);
    return lines.join('\n').replaceAll(directory, 'DIR');
  };

  it('says of every key what it is and who set it', async () => {
    const text = await explain('workers: 3\n');
    assert.match(text, /^workers +3 +DIR\/dockgate\.yaml:1:10$/m);
    assert.match(text, /^port +99 +--port$/m);
    assert.match(text, /^service +reg +DOCKGATE_SERVICE$/m);
    assert.match(text, /^token\.lifetime +5m +default$/m);
  });

  it('prints no secret, as a table and as JSON', async () => {
    const yaml = 'adminPassword: hunter-2-hunter\n';
    for (const text of [await explain(yaml), await explain(yaml, '--json')]) {
      assert.match(text, /\(secret\)/);
      assert.doesNotMatch(text, /hunter/);
    }
  });

  it('refuses what a start would refuse', async () => {
    await assert.rejects(explain('prot: 1\n'), /dockgate\.yaml:1:1: prot: unknown key/);
  });
});
