import { startGateway } from './gateways.ts';
import type { GatewayPeer, Peer, PeerId } from './peer.ts';
import { startDistribution, startNginx, startRegistry, startZotPeer } from './registries.ts';
import { createTokens, type Tokens } from './tokens.ts';

/** Starts peers when they are asked for, each once. */
export interface Peers {
  /** The asked ones in this order, without those that this machine does not have. */
  start(ids: readonly PeerId[]): Promise<readonly Peer[]>;
  /** The gateway in front of a registry, with all that it does by default. */
  gateway(): Promise<GatewayPeer>;
  stop(): Promise<void>;
}

/** @param missing what this machine does not have, and why not. */
export function createPeers(missing: Map<PeerId, string>, say: (text: string) => void): Peers {
  const running = new Map<PeerId, Promise<Peer>>();
  let first: Promise<GatewayPeer> | undefined;
  let tokens: Promise<Tokens> | undefined;
  const gateway = () => {
    first ??= startGateway('dockgate', {});
    return first;
  };
  const issuer = () => {
    tokens ??= gateway().then(({ server, token }) => createTokens(server, token));
    return tokens;
  };
  const startOne = async (id: PeerId): Promise<Peer> => {
    say(`starting ${id}`);
    switch (id) {
      case 'dockgate':
        return gateway();
      case 'dockgate-os':
        return startGateway(id, { config: 'audit: {durability: os}\n' });
      case 'dockgate-embedded':
        return startGateway(id, { isEmbedded: true });
      case 'docker-registry':
        return startRegistry(await issuer());
      case 'nginx':
        return startNginx(await issuer());
      case 'distribution':
        return startDistribution(await issuer());
      case 'zot':
        return startZotPeer(await issuer());
    }
  };
  const get = (id: PeerId) => {
    const started = running.get(id) ?? startOne(id);
    running.set(id, started);
    return started;
  };
  return {
    gateway,
    async start(ids) {
      const peers: Peer[] = [];
      // One after the other: a start that takes all processors would make another one slow.
      for (const id of ids) {
        if (missing.has(id)) continue;
        try {
          peers.push(await get(id));
        } catch (error) {
          // The others are worth measuring without it; the page says what is missing.
          if (id.startsWith('dockgate')) throw error;
          missing.set(id, `${id} does not start: ${String(error)}`);
          say(`not measured: ${missing.get(id)}`);
        }
      }
      return peers;
    },
    async stop() {
      const all = new Set([...running.values(), ...(first ? [first] : [])]);
      const started = (await Promise.allSettled(all)).filter((one) => one.status === 'fulfilled');
      // The gateway of the first peer gives the others their tokens; `gateway()` may be the same one twice.
      const ended = await Promise.allSettled(
        [...new Set(started.map(({ value }) => value))].map((peer) => peer.stop()),
      );
      for (const one of ended) if (one.status === 'rejected') throw one.reason;
    },
  };
}
