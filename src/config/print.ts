import type * as z from 'zod';
import { schema } from './schema.ts';
import { describe, type Leaf, printRaw } from './settings.ts';
import { type KeyPath, printPath, type Tree } from './tree.ts';

interface Row {
  readonly path: KeyPath;
  readonly leaf: Leaf;
}

/** Every key below a schema, in its order; the entries of a list as `upstreams[]`. */
function rowsOf(at: z.ZodType, path: KeyPath): readonly Row[] {
  const here = describe(at);
  if (here?.kind === 'leaf') return [{ path, leaf: here }];
  if (here?.kind === 'list') return rowsOf(here.element, [...path.slice(0, -1), `${path.at(-1)}[]`]);
  return Object.entries(here?.keys ?? {}).flatMap(([key, value]) => rowsOf(value, [...path, key]));
}

/** The reference page, docs/configuration.md. */
export function printReference(): string {
  const rows = rowsOf(schema, []).map(({ path, leaf }) => {
    const value = leaf.defaultText === undefined ? '' : `\`${leaf.defaultText}\``;
    return `| \`${printPath(path)}\` | ${escaped(leaf.doc)} | ${escaped(leaf.accepts)} | ${value} |`;
  });
  return `${REFERENCE_HEAD}${rows.join('\n')}\n`;
}

function escaped(text: string): string {
  return text.replaceAll('|', '\\|');
}

const REFERENCE_HEAD = `# Configuration

Printed from the schema by \`npm run generate\`; edit \`src/config/schema.ts\` instead.

Values come from \`config/dockgate.yaml\` (or \`--config FILE\`), over it the environment, over that the command line:

- \`DOCKGATE_A__B=value\` sets \`a.b\`. Two underscores step into a section or a list (\`DOCKGATE_UPSTREAMS__0__URL\`);
  single ones part words (\`DOCKGATE_PUBLIC_URL\` is \`publicUrl\`).
- \`--set a.b=value\`, as often as needed. A value that begins with \`[\` or \`{\` is read as YAML.
- \`--data\`, \`--certs\`, \`--port\`, \`--ops-port\`, \`--ops-listen\`, \`--listen\`, \`--workers\`, \`--public-url\` and \`--name\`
  set the keys of those names.

An unknown key, a value that is not accepted or a contradiction stops the start, with its place. Relative paths start
where the server was started. \`npx dockgate config explain\` prints every key, its value and where it was set.

| key | what it means | must be | default |
| --- | --- | --- | --- |
`;

/** The example file, config/dockgate.example.yaml: every key with its default, commented out. */
export function printExample(): string {
  return `${EXAMPLE_HEAD}${exampleLines(schema, 0).join('\n')}\n${EXAMPLE_POLICY}`;
}

function exampleLines(at: z.ZodType, depth: number): readonly string[] {
  const here = describe(at);
  if (here?.kind !== 'section') return [];
  return Object.entries(here.keys).flatMap(([key, value]) => exampleOf(key, value, depth));
}

function exampleOf(key: string, value: z.ZodType, depth: number): readonly string[] {
  const here = describe(value);
  const indent = '  '.repeat(depth);
  if (!here || key === 'policies') return [];
  const doc = `# ${indent}# ${here.doc}`;
  if (here.kind === 'leaf')
    return [doc, `# ${indent}${key}:${here.defaultText ? ` ${quoted(here.defaultText)}` : ''}`];
  if (here.kind === 'section') return ['', doc, `# ${indent}${key}:`, ...exampleLines(value, depth + 1)];
  const [first = '', ...others] = exampleLines(here.element, depth + 2).filter(
    (line) => !/^# *# /.test(line),
  );
  const entry = first.replace(/^(# {2} *) {2}(\S)/, '$1- $2');
  return ['', doc, `# ${indent}${key}:`, entry, ...others];
}

function quoted(text: string): string {
  return /^[{}[\],&*#?|<>=!%@`]/.test(text) && text !== '[]' ? `'${text}'` : text;
}

const EXAMPLE_HEAD = `# The configuration of dockgate, every key with its default. Copy it to dockgate.yaml and uncomment what is to differ.
# Printed from the schema by \`npm run generate\`. What the keys accept: docs/configuration.md
`;

const EXAMPLE_POLICY = `
# # Policies of this file cannot be changed through the API. All that match apply; the strictest result wins.
# policies:
#   - name: baseline
#     match: ["**", "!lab/**"]
#     mode: enforce            # enforce, warn or off
#     hold: 20s                # how long a pull waits for a running scan
#     rules:
#       scanned: { by: [inspector], within: 7d }
#       age: { max: 180d }
#       secrets: block
#       misconfiguration: { block: high }
`;

/** One key of a running configuration. */
export interface Explained {
  readonly key: string;
  /** As it was given; secrets are never printed. */
  readonly value: string;
  /** `config/dockgate.yaml:3:7`, `DOCKGATE_PORT`, `--port`, or `default`. */
  readonly from: string;
  readonly doc: string;
}

/** Every key that has a value, and who set it. */
export function explainConfig(tree: Tree): readonly Explained[] {
  return explain(schema, [], tree);
}

function explain(at: z.ZodType, path: KeyPath, tree: Tree): readonly Explained[] {
  const here = describe(at);
  if (here?.kind === 'section') {
    return Object.entries(here.keys).flatMap(([key, value]) => explain(value, [...path, key], tree));
  }
  const given = tree.valueAt(path) ?? undefined;
  if (here?.kind === 'list') {
    const items = Array.isArray(given) ? given : [];
    return items.flatMap((_item, index) => explain(here.element, [...path, index], tree));
  }
  if (!here || (given === undefined && here.defaultText === undefined)) return [];
  const value = given === undefined ? (here.defaultText ?? '') : here.isSecret ? '(secret)' : printRaw(given);
  const from = given === undefined ? 'default' : (tree.originOf(path) ?? 'default');
  return [{ key: printPath(path), value, from, doc: here.doc }];
}
