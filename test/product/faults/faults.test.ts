import { misconfigurationFaults, otherFaults, secretFaults } from './table.ts';
import { testFaults } from './tests.ts';

/** A few of those of the long tests beside this file. */
describe('faulty images, one of each class', function () {
  this.timeout(120_000);
  testFaults({
    faults: () => [
      ...secretFaults().slice(0, 1),
      ...misconfigurationFaults().slice(0, 1),
      ...otherFaults().filter(({ name }) => name === 'an old image' || name === 'a broken gzip stream'),
    ],
    byPodman: () => false,
    waived: ({ of }) => of === 'unscannable',
  });
});
