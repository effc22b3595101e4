import { z } from 'zod';
import { explainQuery, explanationShape, meShape, scanStatusShape, statusShape } from '../contract.ts';
import { explain } from '../explain.ts';
import { operation } from '../operation.ts';
import type { ApiParts } from '../parts.ts';
import { requireRepository } from './images.ts';

/** Explanations, and how the installation is. */
export function oversightOperations(version: string) {
  return [
    operation({
      id: 'explain',
      method: 'get',
      path: '/explain',
      summary: 'Whether a principal may do something, step by step, and what would have to change',
      action: 'users.manage',
      input: explainQuery,
      output: explanationShape,
      status: 200,
      subject: ({ repository, reference }) => ({
        repository: requireRepository(repository),
        ...(reference === undefined ? {} : { reference }),
      }),
      note: ({ principal, action }) => `whether ${principal} may ${action}`,
      run: (input, context) =>
        explain({ ...input, repository: requireRepository(input.repository) }, context),
    }),
    operation({
      id: 'scan.status',
      method: 'get',
      path: '/scans',
      summary: 'How far the scanners are: what waits, what runs, what was scanned with an older database',
      action: 'system',
      input: z.strictObject({}),
      output: scanStatusShape,
      status: 200,
      run: async (_input, { parts }) => {
        const { queued, running, scanners } = await parts.scans.status();
        return { queued, running: [...running], scanners: [...scanners] };
      },
    }),
    operation({
      id: 'status',
      method: 'get',
      path: '/status',
      summary: 'Version, access log, registries',
      action: 'system',
      input: z.strictObject({}),
      output: statusShape,
      status: 200,
      run: async (_input, { parts }) => ({
        version,
        isLogWritable: parts.audit.isWritable(),
        log: await logState(parts),
        registries: [...(await parts.registries.health())],
      }),
    }),
    operation({
      id: 'sign-out',
      method: 'post',
      path: '/sign-out',
      summary: 'Ends the refresh token that this call shows; nothing where it shows something else',
      action: 'signed-in',
      input: z.strictObject({}),
      output: z.object({ isEnded: z.boolean() }),
      status: 200,
      async run(_input, { parts, identity }) {
        const { via, tokenId } = identity;
        if (via !== 'refresh-token' || tokenId === undefined) return { isEnded: false };
        await parts.accounts.removeRefreshToken(tokenId);
        return { isEnded: true };
      },
    }),
    operation({
      id: 'me',
      method: 'get',
      path: '/me',
      summary: 'Who the caller is',
      action: 'signed-in',
      input: z.strictObject({}),
      output: meShape,
      status: 200,
      run: async (_input, { identity, parts }) => ({
        kind: identity.principal.kind,
        name: identity.principal.name,
        via: identity.via,
        warnings: [
          ...(identity.warning === undefined ? [] : [identity.warning]),
          ...((await parts.directory.accessOf(identity.principal)).inertRoles ?? []).map(
            (role) => `role ${role} gives nothing until your second factor is on: dockgate user totp enroll`,
          ),
        ],
      }),
    }),
  ];
}

async function logState({ log }: ApiParts) {
  const { outlets, ...state } = await log.state();
  return { ...state, outlets: [...outlets] };
}
