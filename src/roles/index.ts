/** Who may do what: pure decisions over principals, grants, scopes. Entered by auth/, store/, cluster/, gateway/, api/. */

export { allowsAction, narrowScopes } from './allowances.ts';
export type { GrantState } from './authorize.ts';
export { authorize, grantsAbout, isLiveGrant } from './authorize.ts';
export { BUILT_IN_ROLES, parseAction } from './built-in.ts';
export type { Delegation, DelegationRequest } from './delegate.ts';
export { delegate, managesGrants } from './delegate.ts';
export type { GrantScopesRequest } from './grant-scopes.ts';
export { grantScopes } from './grant-scopes.ts';
export type { ScopesResult } from './scopes.ts';
export { holdsCatalog, parseScopes, printScope, scopeActions, scopesHold } from './scopes.ts';
export type {
  Action,
  Allowance,
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
