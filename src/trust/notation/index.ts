/** Verifies signatures of the Notary Project (X.509). Entered by the rest of trust/. */
export { judgeNotation } from './judge.ts';
export type { NotationOptions } from './read-signers.ts';
export { readNotationSigners } from './read-signers.ts';
export type { NotationSigner } from './types.ts';
