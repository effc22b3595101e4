/** What findings and scans of the inspector are signed with. */
export const INSPECTOR = 'inspector';
