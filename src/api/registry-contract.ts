import { z } from 'zod';

/** The shapes of `/registry/…`. */

const digest = z.string().max(140);

export const collectShape = z.strictObject({
  isDryRun: z.boolean().default(false),
  after: digest.optional(),
});
export const collectedShape = z.object({
  count: z.number(),
  bytes: z.number(),
  pendingLinks: z.number(),
  next: z.string().optional(),
});

export const verifyShape = z.strictObject({
  step: z.enum(['files', 'links']).default('files'),
  after: digest.optional(),
});
export const verifiedShape = z.object({
  count: z.number(),
  bytes: z.number(),
  flaws: z.array(
    z.object({
      digest: z.string(),
      problem: z.enum(['damaged', 'missing']),
      holders: z.array(z.object({ repository: z.string(), owner: z.string(), tags: z.array(z.string()) })),
    }),
  ),
  next: z.object({ step: z.enum(['files', 'links']), after: z.string().optional() }).optional(),
});

export const usageQuery = z.strictObject({ limit: z.coerce.number().int().min(1).max(1000).default(20) });
export const usageShape = z.object({
  quotas: z.array(z.object({ on: z.string(), bytesMax: z.number(), usedBytes: z.number() })),
  contents: z.number(),
  bytes: z.number(),
  repositories: z.array(
    z.object({
      repository: z.string(),
      bytes: z.number(),
      ownBytes: z.number(),
      sharedBytes: z.number(),
      originBytes: z.number(),
      cachedBytes: z.number(),
      pendingBytes: z.number(),
    }),
  ),
});
