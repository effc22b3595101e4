/**
 * The only room that knows every other: builds, starts, stops. Entered by cli/. What only some commands need is loaded when
 * it is called, since nothing serves before the process is there that starts the others.
 */
export type { DoctorCheck } from './doctor.ts';
export type { LocalApi } from './local-api.ts';
export { serve } from './serve.ts';

type OpenLocalApi = typeof import('./local-api.ts')['openLocalApi'];
type RunDoctor = typeof import('./doctor.ts')['runDoctor'];

export const openLocalApi: OpenLocalApi = async (...given) =>
  (await import('./local-api.ts')).openLocalApi(...given);

export const runDoctor: RunDoctor = async (...given) => (await import('./doctor.ts')).runDoctor(...given);
