import type { AccountReads, TokenIssuer } from '../auth/index.ts';
import { type Digest, Fault, type Repository } from '../oci/index.ts';

/** Credentials by which scanners that pull for themselves read what is not admitted yet. */
export interface ScanTokens {
  /** What makes them comes later than the scanners do. */
  connect(parts: {
    readonly tokens: TokenIssuer;
    readonly accounts: Pick<AccountReads, 'findAccountByName'>;
  }): void;
  /**
   * @param robot whose live rights are asked at each pull; it needs `pull` on the repository.
   * @returns an Authorization header for this image alone.
   * @throws {Fault} there is no such robot.
   */
  authorizationFor(robot: string, repository: Repository, digest: Digest): Promise<string>;
}

export function createScanTokens(): ScanTokens {
  let made: Parameters<ScanTokens['connect']>[0] | undefined;
  return {
    connect(parts) {
      made = parts;
    },
    async authorizationFor(robot, repository, digest) {
      const account = await made?.accounts.findAccountByName('robot', robot);
      if (!made || !account || account.isDisabled) {
        const problem = `scanners need the robot ${robot}: dockgate robot add ${robot}, and grant it reader`;
        throw new Fault('DG_SCAN_ROBOT', 'UNAVAILABLE', problem);
      }
      const { token } = await made.tokens.issue({
        principal: { kind: 'robot', id: account.id, name: account.name },
        scopes: [{ type: 'repository', name: repository, actions: ['pull'] }],
        onlyImage: digest,
      });
      return `Bearer ${token}`;
    },
  };
}
