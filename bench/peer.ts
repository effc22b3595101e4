import type { Dockgate } from '../test/support/dockgate.ts';
import type { Target } from './push.ts';

/** One of the servers that are compared. */
export interface Peer extends Target {
  readonly id: PeerId;
  readonly name: string;
  /** Every process that works for it. */
  pids(): readonly number[];
  /** A token for this repository, or for no repository at all, that lives longer than one measurement. */
  token(repository?: string): Promise<string>;
  /** Takes contents out of the gateway's cache, as eviction does; the registry behind it keeps them. */
  chill?(digests: readonly string[]): void;
  /** Those of its processes that answer clients, where others do other work. */
  workers?(): Promise<readonly number[]>;
  /** The registry behind it, past all checks. */
  readonly upstream?: { readonly url: string };
  /** Ends all that it started. */
  stop(): Promise<void>;
}

export interface GatewayPeer extends Peer {
  readonly server: Dockgate;
}

export type PeerId =
  | 'dockgate'
  | 'dockgate-os'
  | 'dockgate-embedded'
  | 'docker-registry'
  | 'nginx'
  | 'distribution'
  | 'zot';

/** What the peers are called on the page, in the order of its columns. */
export const PEERS: Readonly<Record<PeerId, string>> = {
  dockgate: 'dockgate',
  'dockgate-os': 'dockgate, `os`',
  'dockgate-embedded': 'dockgate, embedded',
  'docker-registry': 'docker-registry',
  nginx: 'nginx',
  distribution: 'distribution 3',
  zot: 'zot',
};

export const PEER_IDS: readonly PeerId[] = [
  ...(['dockgate', 'dockgate-os', 'dockgate-embedded'] as const),
  ...(['docker-registry', 'nginx', 'distribution', 'zot'] as const),
];
