import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Inspector } from '../../../../src/scanners/index.ts';
import { openInspector } from '../scanning.ts';
import { type Accuracy, measureAccuracy, printAccuracy } from './measure.ts';

const PAGE = join(import.meta.dirname, '../../../../docs/scanners.md');

describe('how often the inspector is right', function () {
  this.timeout(120_000);
  let inspector: Inspector;
  let accuracy: Accuracy;
  before(async () => {
    inspector = openInspector();
    accuracy = await measureAccuracy(inspector);
    console.log(printAccuracy(accuracy).replace(/^/gm, '      '));
    for (const text of [...accuracy.missed, ...accuracy.falseAlarms]) console.log(`      ${text}`);
  });
  after(() => inspector.close());

  it('on planted secrets of twelve kinds and more: at least 95 of 100 are found, of each kind three in four', () => {
    assert.ok(accuracy.rows.length >= 12);
    assert.ok(accuracy.recall >= 0.95, `recall ${accuracy.recall}: ${accuracy.missed.join('; ')}`);
    for (const { kind, planted, found } of accuracy.rows) assert.ok(found >= 0.75 * planted, kind);
  });

  it('on thirty clean trees and more: at least 95 of 100 of its findings are true', () => {
    assert.ok(accuracy.trees >= 30);
    assert.ok(accuracy.precision >= 0.95, accuracy.falseAlarms.join('; '));
  });

  it('is what the manual says', async () => {
    assert.ok((await readFile(PAGE, 'utf8')).includes(printAccuracy(accuracy)), printAccuracy(accuracy));
  });
});
