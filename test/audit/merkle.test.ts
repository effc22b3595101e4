import assert from 'node:assert/strict';
import fc from 'fast-check';
import { EMPTY_ROOT, leafHash } from '../../src/audit/merkle.ts';
import { tilePath } from '../../src/audit/tiles.ts';
import { createTree, edgeOf, type Tree } from '../../src/audit/tree.ts';
import { treeHash } from './independent.ts';

const leaf = (index: number): Buffer => Buffer.from(`leaf ${index}`);

function grow(tree: Tree, from: number, to: number): void {
  for (let index = from; index < to; index += 1) tree.append(leafHash(leaf(index)));
}

describe('the Merkle tree', () => {
  it('has the root of RFC 6962 at every size to 600, by a plain recursive reading of it', () => {
    const tree = createTree();
    const leaves: Buffer[] = [];
    for (let size = 0; size <= 600; size += 1) {
      if (size < 20 || size % 37 === 0 || [255, 256, 257, 511, 512, 513].includes(size)) {
        assert.deepEqual(tree.root(), treeHash(leaves), `size ${size}`);
      }
      leaves.push(leaf(size));
      grow(tree, size, size + 1);
    }
  });

  it('has it beyond two levels of tiles', () => {
    const tree = createTree();
    grow(tree, 0, 66_000);
    const leaves = Array.from({ length: 66_000 }, (_, index) => leaf(index));
    assert.deepEqual(tree.root(), treeHash(leaves));
  });

  it('is the same when it is opened again from its edge at any size', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1500 }), fc.integer({ min: 0, max: 700 }), (first, more) => {
        const whole = createTree();
        grow(whole, 0, first);
        const reopened = createTree(first, whole.edge());
        grow(whole, first, first + more);
        grow(reopened, first, first + more);
        assert.deepEqual(reopened.root(), whole.root());
        assert.equal(reopened.size, whole.size);
      }),
      { numRuns: 30 },
    );
  });

  it('leaves the tree it was cloned from as it was', () => {
    const tree = createTree();
    grow(tree, 0, 300);
    const root = tree.root();
    grow(tree.clone(), 300, 900);
    assert.deepEqual(tree.root(), root);
  });

  it('has the hash of nothing as root when it is empty (A-29)', () => {
    assert.equal(
      EMPTY_ROOT.toString('hex'),
      'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    );
    assert.deepEqual(createTree().root(), EMPTY_ROOT);
  });

  it('hashes a leaf and a node apart, so that a node cannot be passed off as a leaf', () => {
    const [left, right] = [leafHash(leaf(0)), leafHash(leaf(1))];
    const tree = createTree();
    grow(tree, 0, 2);
    assert.notDeepEqual(leafHash(Buffer.concat([left, right])), tree.root());
  });
});

describe('the tiles of a tree', () => {
  it('are those of the example in tlog-tiles for a size of 70,000', () => {
    assert.deepEqual(edgeOf(70_000), [
      { index: 273, width: 112 },
      { index: 1, width: 17 },
      { index: 0, width: 1 },
    ]);
    assert.deepEqual(edgeOf(256), [
      { index: 1, width: 0 },
      { index: 0, width: 1 },
    ]);
  });

  it('have the paths of the specification', () => {
    assert.equal(tilePath(0, 1234067), 'tile/0/x001/x234/067');
    assert.equal(tilePath(2, 5, 17), 'tile/2/005.p/17');
    assert.equal(tilePath('entries', 1000), 'tile/entries/x001/000');
    assert.equal(tilePath('entries', 0, 255), 'tile/entries/000.p/255');
  });
});
