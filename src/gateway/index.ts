/**
 * /v2: parse, authenticate, decide, record, answer. Entered by app/ alone.
 */
export type { Gateway } from './handler.ts';
export { createGateway } from './handler.ts';
export { importTags, listUpstreamRepositories } from './import-images.ts';
export { createReferrerImports } from './import-referrers.ts';
export type { Listener, ListenerOptions, ListenerParts } from './listener.ts';
export { createListener } from './listener.ts';
export type { GatewayOptions, GatewayParts, ReferrerImports } from './parts.ts';
export { createPrefetch } from './prefetch.ts';
export type { Located, Sources } from './sources.ts';
export { createSources } from './sources.ts';
export { createTagMemory } from './tag-memory.ts';
export { createUploadSessions } from './upload-session.ts';
