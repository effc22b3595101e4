import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { printFieldTable, RECORD_SCHEMA } from '../src/audit/index.ts';
import { printExample, printReference } from '../src/config/print.ts';

/** Writes what is printed from schemas; test/config/generated.test.ts and test/audit/schema.test.ts compare. */
const root = join(import.meta.dirname, '..');
for (const directory of ['docs', 'config']) mkdirSync(join(root, directory), { recursive: true });
writeFileSync(join(root, 'docs', 'configuration.md'), printReference());
writeFileSync(join(root, 'config', 'dockgate.example.yaml'), printExample());
writeFileSync(join(root, 'docs', 'audit-schema.json'), `${JSON.stringify(RECORD_SCHEMA, null, 2)}\n`);
writeFileSync(join(root, 'docs', 'audit-fields.md'), printFieldsPage());

function printFieldsPage(): string {
  return [
    '# Fields of an access record',
    '',
    'Printed by `npm run generate` from the schema of the record, of which [audit-schema.json](audit-schema.json) is',
    'the JSON Schema. What the fields become in other formats: [audit-formats.md](audit-formats.md).',
    '',
    printFieldTable(),
    '',
  ].join('\n');
}
