/** What the processes of a node, and the replicas of a cluster, tell each other. Entered by app/. */

export { createAttempts, createRemoteAttempts } from './attempts.ts';
export type { Rpc, RpcParts } from './ports.ts';
export type { OpenRedis, RedisParts } from './redis.ts';
export { openRedis, openRedisChanges } from './redis.ts';
export type { RedisChanges } from './redis-changes.ts';
export type { RedisAddress, RedisTarget } from './redis-client.ts';
export { remotePart } from './remote-part.ts';
export { createRemoteScans } from './remote-scans.ts';
export { openReplicaChanges, type ReplicaChanges } from './replica-changes.ts';
export type { RpcClient, RpcClientOptions } from './rpc-client.ts';
export { connectRpc } from './rpc-client.ts';
export type { RpcServer, RpcServerOptions } from './rpc-server.ts';
export { serveRpc } from './rpc-server.ts';
