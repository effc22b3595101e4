import type { Command } from 'commander';
import { UsageError } from './client.ts';
import type { CommandContext } from './session.ts';

/** `completion bash|zsh|fish`: prints a script made from the commands there are. */
export function addCompletionCommand(program: Command, context: CommandContext): void {
  program
    .command('completion <shell>')
    .description('print completions for bash, zsh or fish: eval "$(dockgate completion bash)"')
    .action((shell: string) => {
      const words = wordsOf(program);
      const script = SCRIPTS[shell];
      if (!script) throw new UsageError('completions exist for bash, zsh and fish');
      context.output.line(script(words));
    });
}

/** Commands by the words before them: `''` → user, group …; `user` → add, list …. */
function wordsOf(program: Command): ReadonlyMap<string, readonly string[]> {
  const words = new Map<string, readonly string[]>([['', program.commands.map((command) => command.name())]]);
  for (const command of program.commands) {
    if (command.commands.length > 0)
      words.set(
        command.name(),
        command.commands.map((child) => child.name()),
      );
  }
  return words;
}

type Words = ReadonlyMap<string, readonly string[]>;

const SCRIPTS: Readonly<Record<string, (words: Words) => string>> = {
  bash: (words) => bashFunction(words),
  zsh: (words) => `autoload -U +X bashcompinit && bashcompinit\n${bashFunction(words)}`,
  fish: (words) =>
    [...words]
      .map(([parent, children]) => {
        const when = parent === '' ? '__fish_use_subcommand' : `__fish_seen_subcommand_from ${parent}`;
        return `complete -c dockgate -f -n '${when}' -a '${children.join(' ')}'`;
      })
      .join('\n'),
};

function bashFunction(words: Words): string {
  const cases = [...words]
    .filter(([parent]) => parent !== '')
    .map(
      ([parent, children]) =>
        `    ${parent}) COMPREPLY=($(compgen -W '${children.join(' ')}' -- "$word")) ;;`,
    );
  return [
    '_dockgate() {',
    '  local word=$2',
    '  if [ "$COMP_CWORD" -eq 1 ]; then',
    `    COMPREPLY=($(compgen -W '${words.get('')?.join(' ')}' -- "$word")); return`,
    '  fi',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's own variable
    '  case "${COMP_WORDS[1]}" in',
    ...cases,
    '  esac',
    '}',
    'complete -F _dockgate dockgate',
  ].join('\n');
}
