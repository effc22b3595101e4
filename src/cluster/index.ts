/** What the processes of a node, and the replicas of a cluster, tell each other. */
export type { Rpc, RpcParts } from './ports.ts';
