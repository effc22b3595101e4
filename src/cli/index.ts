/** The `dockgate` command. Nobody enters; it enters app/, audit/ and config/. */
export { createProgram } from './program.ts';
