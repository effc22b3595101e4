import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, type YAMLMap } from 'yaml';
import { StartError } from '../base/index.ts';
import type { RawMap, RawValue } from './settings.ts';
import { isForbiddenKey, type KeyPath, type Tree } from './tree.ts';

/**
 * Reads YAML 1.2 into the tree, with file, line and column of each value. Anchors are not followed: a few of them can
 * grow into gigabytes.
 *
 * @throws {StartError} what is no YAML, a key given twice, an alias, a tag, a top that is no section.
 */
export function readYaml(tree: Tree, file: string, source: string): void {
  const lines = new LineCounter();
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  const document = parseDocument(source, { version: '1.2', lineCounter: lines, prettyErrors: false });
  const [problem] = [...document.errors, ...document.warnings];
  if (problem) throw new StartError(`${at(problem.pos[0])}: ${problem.message}`);
  const top = document.contents;
  if (top === null || (isScalar(top) && top.value === null)) return;
  if (!isMap(top))
    throw new StartError(`${at(offsetOf(top))}: must hold keys with values, such as "port: 8443"`);
  const reader = new Reader(tree, at);
  Object.assign(tree.root, reader.readMap(top, []));
}

function offsetOf(node: Node): number {
  return node.range?.[0] ?? 0;
}

class Reader {
  readonly #tree: Tree;
  readonly #at: (offset: number) => string;

  constructor(tree: Tree, at: (offset: number) => string) {
    this.#tree = tree;
    this.#at = at;
  }

  readMap(map: YAMLMap, path: KeyPath): RawMap {
    const members: RawMap = Object.create(null);
    for (const { key, value } of map.items) {
      if (!isScalar(key) || typeof key.value !== 'string') {
        throw new StartError(`${this.#at(offsetOf(map))}: keys must be plain words`);
      }
      const where = this.#at(offsetOf(key));
      if (isForbiddenKey(key.value)) throw new StartError(`${where}: ${key.value} cannot be a key`);
      const child = [...path, key.value];
      this.#tree.noteKeyOrigin(child, where);
      members[key.value] = isNode(value) ? this.#read(value, child) : null;
    }
    return members;
  }

  #read(node: Node, path: KeyPath): RawValue {
    const where = this.#at(offsetOf(node));
    if (isAlias(node))
      throw new StartError(`${where}: aliases (*name) are not followed: write the value out`);
    if (isScalar(node)) {
      // An empty value has no place of its own; the key's is kept.
      if (node.value !== null) this.#tree.noteOrigin(path, where);
      return scalar(node.value, where);
    }
    if (isMap(node)) return this.readMap(node, path);
    if (!isSeq(node)) throw new StartError(`${where}: not a value`);
    return node.items.map((item, index) => (isNode(item) ? this.#read(item, [...path, index]) : null));
  }
}

function isNode(value: unknown): value is Node {
  return isAlias(value) || isScalar(value) || isMap(value) || isSeq(value);
}

function scalar(value: unknown, where: string): RawValue {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw new StartError(`${where}: must be text, a finite number, true or false`);
}
