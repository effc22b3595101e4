import type { Peer, PeerId } from './peer.ts';
import type { Peers } from './peers.ts';
import type { Row, Sample } from './results.ts';
import type { Supply } from './supply.ts';

/** What a row set measures with. */
export interface Bench {
  readonly isQuick: boolean;
  readonly rounds: number;
  /** For the set that runs only when it is asked for. */
  readonly minutes: number;
  /** A folder for files of the run. */
  readonly directory: string;
  readonly ticksPerSecond: number;
  readonly peers: Peers;
  readonly supply: Supply;
  add(sample: Sample): void;
  /** Says what could not be measured; the run goes on, and ends with an error. */
  fail(text: string): void;
  say(text: string): void;
}

/** Rows that are measured together, with a section and a plot on the page. */
export interface RowSet {
  /** For `--only`. */
  readonly id: string;
  readonly title: string;
  /** How it is measured, in whole sentences. */
  readonly about: string;
  readonly rows: readonly Row[];
  /** Too long for every run: only when it is named. */
  readonly isOnlyNamed?: boolean;
  run(bench: Bench): Promise<void>;
}

/** The peers in turns: in each round all of them, another one first. */
export async function inTurns(
  bench: Bench,
  ids: readonly PeerId[],
  measure: (peer: Peer, round: number) => Promise<void>,
): Promise<void> {
  const peers = await bench.peers.start(ids);
  for (let round = 0; round < bench.rounds; round += 1) {
    const from = round % peers.length;
    for (const peer of [...peers.slice(from), ...peers.slice(0, from)]) {
      bench.say(`round ${round + 1} of ${bench.rounds}: ${peer.id}`);
      try {
        await measure(peer, round);
      } catch (error) {
        bench.fail(`${peer.id}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  }
}
