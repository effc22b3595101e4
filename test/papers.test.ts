import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { parse } from 'yaml';
import { createProgram } from '../src/cli/program.ts';
import { parsePolicyDocument } from '../src/policy/index.ts';

const root = join(import.meta.dirname, '..');
const papers = globSync(['*.md', 'docs/*.md', 'certs/*.md'], { cwd: root }).sort();
const textOf = (paper: string) => readFileSync(join(root, paper), 'utf8');

/** Fenced blocks in one language. */
function blocksOf(text: string, language: string): readonly string[] {
  return [...text.matchAll(/^ *```(\w*)\n([\s\S]*?)^ *```$/gm)].flatMap(([, name, body]) =>
    name === language ? [body ?? ''] : [],
  );
}

/** Every `dockgate …` of a text, up to what ends a command in a shell or in a sentence. */
function commandsOf(text: string): readonly string[] {
  const quoted = [...text.matchAll(/`([^`\n]+)`/g)].map(([, code]) => code ?? '');
  return [...quoted, ...blocksOf(text, 'sh').flatMap((block) => block.split('\n'))].flatMap((line) =>
    [...line.matchAll(/(?:^|\| |npx |-u dockgate )dockgate ((?:(?! [#|>;&] ?)[^#|>;&])+)/g)].map(([, rest]) =>
      (rest ?? '').trim(),
    ),
  );
}

/** What a command line names that is not there: a command, or an option of it. */
function unknownIn(line: string): readonly string[] {
  const context = { env: {}, output: { line() {}, note() {} }, readInput: async () => '' };
  let command: Command = createProgram('1', context);
  const options = new Set(command.options.flatMap(({ long, short }) => [long, short]));
  const words = line.replace(/'[^']*'|"[^"]*"/g, 'TEXT').split(/\s+/);
  const wrong: string[] = [];
  for (const word of words) {
    const next = command.commands.find((one) => one.name() === word);
    if (next) command = next;
    else if (command.commands.length > 0 && /^[a-z-]+$/.test(word) && !word.startsWith('-')) wrong.push(word);
    for (const { long, short } of command.options) options.add(long).add(short);
    const [name = ''] = word.split('=');
    if (/^--?[a-z]/.test(name) && name !== '--help' && !options.has(name)) wrong.push(name);
  }
  return wrong;
}

describe('the papers', () => {
  for (const paper of papers) {
    it(`${paper} names only commands and options that there are`, () => {
      const wrong = commandsOf(textOf(paper)).flatMap((line) =>
        unknownIn(line).map((word) => `${word} in: dockgate ${line}`),
      );
      assert.deepEqual(wrong, []);
    });

    it(`${paper} refers only to files that there are`, () => {
      const links = [...textOf(paper).matchAll(/\]\(([^)#:\s]+)(?:#[^)]*)?\)/g)].map(
        ([, path]) => path ?? '',
      );
      const lost = links.filter((path) => !existsSync(join(root, dirname(paper), path)));
      assert.deepEqual(lost, []);
    });
  }

  it('show only policies that can be applied', () => {
    const blocks = ['README.md', 'docs/policies.md'].flatMap((paper) => blocksOf(textOf(paper), 'yaml'));
    const documents = blocks.flatMap((block): readonly unknown[] => {
      if (/^(?:publicUrl|upstreams):/m.test(block)) return [];
      if (block.includes('policies:')) return [parse(block)];
      // A rule for itself; several are alternatives, and what is indented belongs to the one above.
      const policy = { name: 'p', match: ['**'], rules: { secrets: 'block' } };
      return (
        block
          .trim()
          .split(/\n(?! )/)
          // What pushes are held to stands beside the rules.
          .map((rule) => (rule.startsWith('push:') ? parse(rule) : { rules: parse(rule) }))
          .map((part) => ({ policies: [{ ...policy, ...part }] }))
      );
    });
    assert.ok(documents.length > 8);
    for (const document of documents) {
      const result = parsePolicyDocument(document);
      assert.ok(result.ok, JSON.stringify([document, result]));
    }
  });
});
