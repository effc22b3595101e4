import assert from 'node:assert/strict';
import { shareOfNotes } from '../../src/app/share-of-notes.ts';

describe('the notes of the workers of a node', () => {
  it('A-27: are 100 a second and 10 an address together, however many workers there are', () => {
    for (const workers of [1, 2, 3, 8, 10]) {
      const { notesPerSecond, notesPerSecondAndAddress } = shareOfNotes(workers);
      assert.ok(notesPerSecond * workers <= 100, `${workers} workers`);
      assert.ok(notesPerSecondAndAddress * workers <= 10, `${workers} workers`);
    }
  });

  it('are one a second and worker at least, else nothing would be recorded singly', () => {
    assert.deepEqual(shareOfNotes(500), { notesPerSecond: 1, notesPerSecondAndAddress: 1 });
  });
});
