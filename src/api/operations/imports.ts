import { z } from 'zod';
import { SECOND_MS } from '../../base/index.ts';
import { parseTag, type Tag } from '../../oci/index.ts';
import { ApiProblem, operation } from '../operation.ts';
import { requireRepository } from './images.ts';

/** A call works about so long, then says where to go on: whoever asked sees how far it is. */
const CALL_MS = 5 * SECOND_MS;
const REPOSITORIES_MAX = 1000;

const listQuery = z.strictObject({
  prefix: z.string().max(255).default(''),
  last: z.string().max(255).optional(),
});
const listShape = z.object({ repositories: z.array(z.string()), next: z.string().optional() });

const importShape = z.strictObject({
  repository: z.string().max(255),
  after: z.string().max(128).optional(),
});
const importedShape = z.object({
  tags: z.number(),
  added: z.number(),
  known: z.number(),
  failures: z.array(z.object({ reference: z.string(), problem: z.string() })),
  next: z.string().optional(),
  pause: z.object({ seconds: z.number(), problem: z.string(), isAsked: z.boolean() }).optional(),
});

/** Reads what a registry behind dockgate holds already, so that the first pull is not the first scan. */
export const importOperations = [
  operation({
    id: 'image.import.list',
    method: 'get',
    path: '/image/import',
    summary: 'The repositories of the registries behind dockgate, where those list them',
    action: 'system',
    input: listQuery,
    output: listShape,
    status: 200,
    async run({ prefix, last }, { parts }) {
      const all = await parts.imports.listRepositories(prefix);
      const after = last === undefined ? all : all.filter((name) => name > last);
      const repositories = after.slice(0, REPOSITORIES_MAX);
      const next = after.length > REPOSITORIES_MAX ? repositories.at(-1) : undefined;
      return { repositories, ...(next ? { next } : {}) };
    },
  }),
  operation({
    id: 'image.import',
    method: 'post',
    path: '/image/import',
    summary:
      'Reads and queues for scans what the tags of a repository name, for about 5 s; go on with `next`',
    action: 'system',
    input: importShape,
    output: importedShape,
    status: 200,
    subject: ({ repository }) => ({ repository: requireRepository(repository) }),
    change: ({ repository, after }) => ({ repository, ...(after === undefined ? {} : { after }) }),
    async run({ repository, after }, { parts }) {
      const endMs = parts.clock.monotonicMs() + CALL_MS;
      const imported = await parts.imports.importTags({
        repository: requireRepository(repository),
        isOver: () => parts.clock.monotonicMs() >= endMs,
        ...begin(after),
      });
      if (imported) return { ...imported, failures: [...imported.failures] };
      const message = `${repository}: no upstream holds it; what is pushed through dockgate is scanned anyway`;
      throw new ApiProblem(404, 'DG_IMAGE_UNKNOWN', message);
    },
  }),
];

function begin(text: string | undefined): { readonly after?: Tag } {
  if (text === undefined) return {};
  const after = parseTag(text);
  if (!after) throw new ApiProblem(400, 'DG_INPUT_INVALID', 'after: is no tag');
  return { after };
}
