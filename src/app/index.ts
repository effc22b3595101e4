/** The only room that knows every other: builds, starts, stops. Entered by cli/. */
export type { DoctorCheck } from './doctor.ts';
export { runDoctor } from './doctor.ts';
export type { LocalApi } from './local-api.ts';
export { openLocalApi } from './local-api.ts';
export { serve } from './serve.ts';
