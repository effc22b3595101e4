import type { Command } from 'commander';
import type { CommandContext } from '../session.ts';
import { addExportCommands } from './audit-export.ts';
import { addHoldCommands } from './audit-hold.ts';
import { addKeyCommand } from './audit-key.ts';
import { addProofCommands } from './audit-proofs.ts';
import { addReindexCommand } from './audit-reindex.ts';
import { addReportCommand } from './audit-report.ts';
import { addSearchCommand } from './audit-search.ts';
import { addVerifyCommand } from './audit-verify.ts';

/** What auditors do with the access log; each part is in a file of its own. */
export function addAuditCommands(program: Command, context: CommandContext): void {
  const audit = program.command('audit').description('the access log: search it, verify it');
  addSearchCommand(audit, context);
  addReindexCommand(audit, context);
  addVerifyCommand(audit, context);
  addKeyCommand(audit, context);
  addHoldCommands(audit, context);
  addProofCommands(audit, context);
  addExportCommands(audit, context);
  addReportCommand(audit, context);
}
