import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { printExample, printReference } from '../src/config/print.ts';

/** Writes the files that are printed from the schema of settings; test/config/generated.test.ts compares them. */
const root = join(import.meta.dirname, '..');
for (const directory of ['docs', 'config']) mkdirSync(join(root, directory), { recursive: true });
writeFileSync(join(root, 'docs', 'configuration.md'), printReference());
writeFileSync(join(root, 'config', 'dockgate.example.yaml'), printExample());
