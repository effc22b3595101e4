const NOTES_PER_SECOND = 100;
const NOTES_PER_SECOND_AND_ADDRESS = 10;

/**
 * One worker's part of what a node records singly without being waited for (design, chapter 2). New connections are
 * dealt out in turn, so each worker meets about as many.
 */
export function shareOfNotes(workers: number): {
  readonly notesPerSecond: number;
  readonly notesPerSecondAndAddress: number;
} {
  return {
    notesPerSecond: Math.max(1, Math.floor(NOTES_PER_SECOND / workers)),
    notesPerSecondAndAddress: Math.max(1, Math.floor(NOTES_PER_SECOND_AND_ADDRESS / workers)),
  };
}
