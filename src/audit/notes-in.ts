/** A note in the JSON of a message: what a log host or a receiver of HTTP has stored. */
const IN_JSON = /"checkpoint":("(?:[^"\\]|\\.)*")/g;
const SIGNATURE = '\u2014 ';

/**
 * The signed notes in a text that was collected elsewhere: one note as it is, notes after each other, or lines with
 * `"checkpoint":"…"` in them. A text in which there is none is one note, which nobody signed.
 */
export function notesIn(text: string): readonly string[] {
  const inJson = [...text.matchAll(IN_JSON)].flatMap(([, note]) => parsed(note));
  const notes = inJson.length > 0 ? inJson : split(text);
  return notes.length === 0 ? [text] : [...new Set(notes)];
}

function parsed(text: string | undefined): readonly string[] {
  try {
    const note: unknown = JSON.parse(text ?? '');
    return typeof note === 'string' ? [note] : [];
  } catch {
    // Whatever it is, it is none; an empty text is opened by no key.
    return [''];
  }
}

/** A note ends after its signatures. */
function split(text: string): readonly string[] {
  const notes: string[] = [];
  let note = '';
  let isSigned = false;
  for (const line of text.split('\n').slice(0, -1)) {
    const isSignature = line.startsWith(SIGNATURE);
    if (isSigned && !isSignature) {
      notes.push(note);
      note = '';
      isSigned = false;
      if (line === '') continue;
    }
    note += `${line}\n`;
    isSigned ||= isSignature;
  }
  const rest = text.slice(text.lastIndexOf('\n') + 1);
  // What is cut off in the middle is no note any more: it must not look as if all had been compared.
  return note === '' && rest === '' ? notes : [...notes, note + rest];
}
