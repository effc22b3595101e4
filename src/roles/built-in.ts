import { type Action, REPOSITORY_ACTIONS, type Role, SYSTEM_ACTIONS } from './types.ts';

const READER: readonly Action[] = ['pull', 'list'];
const DEVELOPER: readonly Action[] = [
  ...READER,
  'push',
  'tag.create',
  'tag.overwrite',
  'referrers.push',
  'scan',
  'verdict.read',
];
const MAINTAINER: readonly Action[] = [...DEVELOPER, 'delete', 'waive', 'roles.manage'];
const AUDITOR: readonly Action[] = ['audit.read', 'verdict.read'];

// Reading what is not admitted yet is granted on purpose, to a robot, for a while: no role brings it along.
const ADMIN: readonly Action[] = [
  ...REPOSITORY_ACTIONS.filter((action) => action !== 'quarantine.read'),
  ...SYSTEM_ACTIONS,
];

/** The roles that are always there and cannot be changed. Others are kept in SQL. */
export const BUILT_IN_ROLES: readonly Role[] = [
  { name: 'reader', actions: READER, isBuiltIn: true },
  { name: 'developer', actions: DEVELOPER, isBuiltIn: true },
  { name: 'maintainer', actions: MAINTAINER, isBuiltIn: true },
  { name: 'auditor', actions: AUDITOR, isBuiltIn: true },
  { name: 'admin', actions: ADMIN, isBuiltIn: true },
];

const ALL_ACTIONS: ReadonlySet<string> = new Set<string>([...REPOSITORY_ACTIONS, ...SYSTEM_ACTIONS]);
const ALL_SYSTEM_ACTIONS: ReadonlySet<string> = new Set<string>(SYSTEM_ACTIONS);

/** @returns `undefined` for a word that is no action. */
export function parseAction(text: string): Action | undefined {
  return isAction(text) ? text : undefined;
}

export function isSystemAction(action: Action): boolean {
  return ALL_SYSTEM_ACTIONS.has(action);
}

function isAction(text: string): text is Action {
  return ALL_ACTIONS.has(text);
}
