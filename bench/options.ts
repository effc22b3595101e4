import { parseArgs } from 'node:util';
import { PEER_IDS, type PeerId } from './peer.ts';
import { SETS } from './sets.ts';

export interface BenchOptions {
  readonly sets: readonly string[];
  readonly isQuick: boolean;
  readonly rounds: number;
  readonly minutes: number;
  /** Peers that are left out. */
  readonly without: readonly PeerId[];
  /** Where results.json, results.md and plots/ are; absent: nothing is written. */
  readonly out?: string;
  /** Only print the page anew from what `out` holds. */
  readonly isRender: boolean;
}

/** @returns what to do, or the text that says how to ask. @throws {Error} an option that is none. */
export function readOptions(words: readonly string[]): BenchOptions | string {
  const { values } = parseArgs({
    args: [...words],
    options: {
      help: { type: 'boolean', short: 'h', default: false },
      quick: { type: 'boolean', default: false },
      render: { type: 'boolean', default: false },
      only: { type: 'string' },
      without: { type: 'string' },
      rounds: { type: 'string' },
      minutes: { type: 'string' },
      out: { type: 'string' },
    },
  });
  if (values.help) return HELP;
  const usual = SETS.filter((set) => !set.isOnlyNamed).map(({ id }) => id);
  const all = SETS.map(({ id }) => id);
  const out = values.out ?? (values.quick ? undefined : import.meta.dirname);
  return {
    sets: values.only === undefined ? usual : namesIn('--only', values.only, all),
    isQuick: values.quick,
    rounds: numberIn('--rounds', values.rounds, values.quick ? 1 : 3, 100),
    minutes: numberIn('--minutes', values.minutes, values.quick ? 1 : 60, 24 * 60),
    without: values.without === undefined ? [] : namesIn('--without', values.without, PEER_IDS),
    isRender: values.render,
    ...(out === undefined ? {} : { out }),
  };
}

function namesIn<Name extends string>(option: string, text: string, known: readonly Name[]): readonly Name[] {
  return text.split(',').map((word) => {
    const name = known.find((one) => one === word.trim());
    if (name === undefined) throw new Error(`${option} ${word}: there is ${known.join(', ')}`);
    return name;
  });
}

function numberIn(option: string, text: string | undefined, usual: number, most: number): number {
  const value = text === undefined ? usual : Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= most) return value;
  throw new Error(`${option} must be a whole number from 1 to ${most}, not ${text}`);
}

const HELP = `Measures dockgate beside the registries and proxies that it finds, on this machine, in turns.

  node bench/run.ts [--only SET,SET] [--without PEER,PEER] [--rounds N] [--quick] [--out DIR]
  node bench/run.ts --render [--out DIR]

All sets take about half an hour. Let nothing else run meanwhile: the peers, their clients and whatever else there is
share the processors, and the page says how busy the machine was before. What it needs is installed by
\`sh test/setup.sh --bench\` (wrk, hey, nginx, docker-registry, distribution); zot is taken from the PATH.

  --only     these sets only; what the page says of the others stays
  --without  leave peers out: ${PEER_IDS.join(', ')}
  --rounds   how often each is measured, 3 unless said; the page shows medians
  --minutes  how long memory-hour takes, 60 unless said
  --quick    three minutes that only show that everything runs: small sizes, one round, nothing written without --out
  --out      a folder for results.json, results.md and plots/ (bench/ unless --quick)
  --render   print page and plots anew from results.json

Sets:
${SETS.map(({ id, title, isOnlyNamed }) => `  ${id.padEnd(16)}${title}${isOnlyNamed ? ' (only when it is named)' : ''}`).join('\n')}
`;
