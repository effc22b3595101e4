/**
 * A process that writes records until it is killed, and prints the number of each acknowledged one. With `sequence`
 * as third argument it runs the sequencer too, as fast as it can. A fourth argument ends it after so many records.
 */
import { createLab, entry } from './lab.ts';

const [directory = '', writerName = '', role = '', count = 'Infinity'] = process.argv.slice(2);
const lab = await createLab(directory);
const writer = await lab.openWriter({ writer: writerName, segmentBytesMax: 40_000 });
if (role === 'sequence') {
  const sequencer = await lab.openSequencer();
  const again = (): void => {
    sequencer.step().then(again, again);
  };
  again();
}
const loop = async (): Promise<void> => {
  for (;;) {
    const { seq } = await writer.record(entry({ note: 'x'.repeat(Math.floor(Math.random() * 300)) }));
    process.stdout.write(`${seq}\n`);
    if (seq >= Number(count)) process.exit();
  }
};
await Promise.all(Array.from({ length: 8 }, loop));
