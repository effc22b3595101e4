import assert from 'node:assert/strict';
import { type Dockgate, startDockgate } from '../../support/dockgate.ts';
import {
  assertClientRefused,
  clientsOf,
  type FaultPlace,
  PASSWORD,
  placeOf,
  policiesFor,
} from './every-path.ts';
import type { Fault } from './fault.ts';

export interface FaultTests {
  readonly faults: () => readonly Fault[];
  /** Beside the inspector: where clamd listens. */
  readonly clamd?: () => string;
  /** Those that podman pulls, too; every one is pulled by skopeo. */
  readonly byPodman: (fault: Fault, at: number) => boolean;
  /** Those that are excused by a waiver as well. */
  readonly waived: (fault: Fault, at: number) => boolean;
}

/** Registers the tests of each fault, on one server. */
export function testFaults(tests: FaultTests): void {
  let server: Dockgate;
  let clients: ReturnType<typeof clientsOf>;

  before(async () => {
    const clamd = tests.clamd?.();
    const config = clamd === undefined ? {} : { scanners: { clamav: { address: `unix:${clamd}` } } };
    server = await startDockgate({ config: JSON.stringify(config), workers: 1 });
    await server.addUser('alice', PASSWORD, ['developer', '**']);
    await server.addUser('bob', PASSWORD, ['reader', '**']);
    const scanners = clamd === undefined ? ['inspector'] : ['inspector', 'clamav'];
    await server.run(['policy', 'apply', '-f', '-'], policiesFor(scanners));
    clients = clientsOf(server);
  });
  after(async () => {
    clients?.remove();
    await server?.remove();
  });

  for (const [at, fault] of tests.faults().entries()) {
    describe(fault.name, () => {
      let place: FaultPlace;
      before(async () => {
        place = await placeOf(server, fault, `f${at}`);
        await place.push();
      });

      it('is refused on every path, V-01 to V-06, V-41, T-29', () => place.assertRefused());

      it('is refused to skopeo, which prints what was found', async () => {
        const ran = await clients.skopeo(`${place.repository}:1`);
        assertClientRefused(ran, place.repository, fault);
      });

      if (tests.byPodman(fault, at)) {
        it('is refused to podman, which prints what was found', async () => {
          assertClientRefused(await clients.podman(`${place.repository}:1`), place.repository, fault);
        });
      }

      it('is served once it is mended, to skopeo as well', async () => {
        await place.assertServedOnceMended();
        const ran = await clients.skopeo(`${place.repository}:1`);
        assert.equal(ran.code, 0, ran.output);
      });

      if (tests.byPodman(fault, at)) {
        it('is served to podman once it is mended', async () => {
          const ran = await clients.podman(`${place.repository}:1`);
          assert.equal(ran.code, 0, ran.output);
        });
      }

      if (fault.waiver && tests.waived(fault, at)) {
        it('is served as it is while a waiver excuses it', () => place.assertServedOnceWaived());
      }
    });
  }
}
