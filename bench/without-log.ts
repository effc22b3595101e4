/**
 * Loaded into a server by the bench alone (`NODE_OPTIONS=--import`): its processes write no access log, so that one can
 * see what the log costs. No setting does this.
 */
import { registerHooks } from 'node:module';

const WITHOUT_LOG = `
  export async function openAuditWriter() {
    let seq = 0;
    const record = async (entry) => ({ v: 1, id: 'off', time: '', node: 'n', writer: 'w', seq: ++seq, ...entry });
    return { record, note() {}, complete() {}, isWritable: () => true, close: async () => {} };
  }
`;

registerHooks({
  load(url, context, nextLoad) {
    if (!url.endsWith('/src/audit/writer.ts')) return nextLoad(url, context);
    return { format: 'module', source: WITHOUT_LOG, shortCircuit: true };
  },
});
