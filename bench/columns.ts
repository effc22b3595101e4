import { PEER_IDS, PEERS } from './peer.ts';
import type { Results } from './results.ts';

/** The columns of a row that were measured: peers in their order, sizes and the like as they came. */
export function columnsOf(results: Results, row: string): readonly string[] {
  const samples = Object.values(results.sets).flatMap((set) => set.samples);
  const found = new Set(samples.filter((sample) => sample.row === row).map(({ column }) => column));
  const peers: readonly string[] = PEER_IDS.filter((id) => found.has(id));
  return [...peers, ...[...found].filter((column) => !peers.includes(column))];
}

/** What a column is called. */
export function nameOf(column: string): string {
  const names: Readonly<Record<string, string>> = PEERS;
  return names[column] ?? column;
}
