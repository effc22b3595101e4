/**
 * Turns what scanners say into findings; a folder per scanner, all behind the port `Scanner` of verdicts/.
 * Entered by app/.
 */
export type { Inspector, InspectorOptions } from './inspector/inspector.ts';
export { createInspector } from './inspector/inspector.ts';
export type { InspectionLimits } from './inspector/limits.ts';
