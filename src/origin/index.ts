/** The embedded registry, behind the gateway when no upstream is configured. Implements the port `Source`. */
export type { OriginOptions, OriginParts } from './origin.ts';
export { createOrigin } from './origin.ts';
export { sweepUploads } from './sweep-uploads.ts';
