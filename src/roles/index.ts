/** Who may do what: pure decisions over principals, grants, scopes. Entered by auth/, store/, cluster/, gateway/, api/. */

export type {
  Action,
  Authorization,
  AuthorizeRequest,
  Grant,
  GrantSubject,
  Principal,
  RepositoryAction,
  Role,
  Scope,
  SystemAction,
} from './types.ts';
export { REPOSITORY_ACTIONS, SYSTEM_ACTIONS } from './types.ts';
