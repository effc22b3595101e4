import { silentLogger, systemClock } from '../../src/base/index.ts';
import { connectRpc } from '../../src/cluster/index.ts';

/**
 * A process of its own on the line: prints what it hears and what it thinks of the channel. Run by rpc.test.ts with
 * the path of the socket; the word `deaf` makes it block for ever at the first change.
 */
const [socketPath = '', how] = process.argv.slice(2);
const rpc = connectRpc({ socketPath }, { clock: systemClock, logger: silentLogger });
const say = (text: string): boolean => process.stdout.write(`${text}\n`);

rpc.changes.onChange((change) => {
  say(`change ${change.topic} ${change.key ?? '*'}`);
  if (how === 'deaf') for (;;);
});
rpc.changes.onLost(() => say(`lost ${rpc.changes.lifetimeMsMax()}`));
say('started');
