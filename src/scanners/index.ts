/**
 * Turns what scanners say into findings; a folder per scanner, all behind the port `Scanner` of verdicts/.
 * Entered by app/.
 */
export type { ClamavOptions } from './clamav/clamav.ts';
export { createClamav } from './clamav/clamav.ts';
export type { HarborScannerOptions } from './harbor/harbor-scanner.ts';
export { createHarborScanner } from './harbor/harbor-scanner.ts';
export type { Inspector, InspectorOptions } from './inspector/inspector.ts';
export { createInspector } from './inspector/inspector.ts';
export type { InspectionLimits } from './layers/limits.ts';
export type { ProgramScannerOptions } from './programs/program-scanner.ts';
export { createProgramScanner } from './programs/program-scanner.ts';
export { GRYPE, TRIVY } from './programs/tools.ts';
export { readReport } from './reports/read-report.ts';
