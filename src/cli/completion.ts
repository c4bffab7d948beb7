/** `glassbert completion`: what a shell needs to complete commands and options, made from their definitions. */
import { Argument, type Command, type Option } from 'commander';
import { print } from './terminal.ts';

const SHELLS = ['bash', 'zsh', 'fish'] as const;

export function addCompletion(program: Command): void {
  program
    .command('completion')
    .summary('a script that completes commands in bash, zsh or fish')
    .description('Prints a script for the shell that completes commands, options and their values.')
    .addArgument(new Argument('<shell>').choices(SHELLS))
    .addHelpText(
      'after',
      `
Examples:
  source <(glassbert completion bash)                in ~/.bashrc
  source <(glassbert completion zsh)                 in ~/.zshrc, after compinit
  glassbert completion fish > ~/.config/fish/completions/glassbert.fish`,
    )
    .action((shell: (typeof SHELLS)[number]) => print(SCRIPTS[shell](describe(program))));
}

interface Described {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly { readonly flags: readonly string[]; readonly summary: string; readonly value: Value }[];
}

/** What follows an option: nothing, one of some words, a directory, a file, or something that cannot be completed. */
type Value = null | readonly string[] | 'directory' | 'file' | 'other';

function describe(program: Command): Described[] {
  return program
    .createHelp()
    .visibleCommands(program)
    .map(command => ({
      name: command.name(),
      summary: command.summary(),
      options: command
        .createHelp()
        .visibleOptions(command)
        .map(option => ({
          flags: [option.short, option.long].filter(flag => flag != null),
          summary: option.description,
          value: valueAfter(option),
        })),
    }));
}

function valueAfter({ required, optional, argChoices, flags }: Option): Value {
  if (!required && !optional) return null;
  if (argChoices !== undefined) return argChoices;
  if (/<dir>/.test(flags)) return 'directory';
  return /<(file|pem|json|path)>/.test(flags) ? 'file' : 'other';
}

const SCRIPTS: Record<(typeof SHELLS)[number], (commands: readonly Described[]) => string> = { bash, zsh, fish };

function bash(commands: readonly Described[]): string {
  const cases = commands.map(({ name, options }) => {
    const flags = options.flatMap(option => option.flags);
    const values = options.flatMap(({ flags, value }) => {
      if (value === null) return [];
      const words =
        typeof value === 'string'
          ? value === 'directory'
            ? '-d'
            : value === 'file'
              ? '-f'
              : ''
          : `-W "${value.join(' ')}"`;
      return [
        `        ${flags.join('|')}) COMPREPLY=(${words === '' ? '' : `$(compgen ${words} -- "$cur")`}); return ;;`,
      ];
    });
    return `    ${name})
      case "$prev" in
${values.join('\n')}
      esac
      words="${flags.join(' ')}${name === 'completion' ? ` ${SHELLS.join(' ')}` : ''}${name === 'help' ? ` ${commands.map(command => command.name).join(' ')}` : ''}" ;;`;
  });
  return `# glassbert completion bash
_glassbert() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${commands.map(({ name }) => name).join(' ')} --help --version" -- "$cur"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
  case "$cur" in -*) ;; *) COMPREPLY+=($(compgen -f -- "$cur")) ;; esac
}
complete -o filenames -F _glassbert glassbert
`;
}

function zsh(commands: readonly Described[]): string {
  const names = commands.map(({ name, summary }) => `    ${single(`${name}:${summary}`)}`);
  const cases = commands.map(({ name, options }) => {
    const specs = options.flatMap(({ flags, summary, value }) =>
      flags.map(flag => `      ${single(`${flag}[${summary.replace(/[[\]:\\]/g, '\\$&')}]${zshValue(value)}`)}`),
    );
    const rest =
      name === 'completion'
        ? `1:shell:(${SHELLS.join(' ')})`
        : name === 'help'
          ? `1:command:(${commands.map(command => command.name).join(' ')})`
          : '*:file:_files';
    return `    ${name}) _arguments \\\n${[...specs, `      ${single(rest)}`].join(' \\\n')} ;;`;
  });
  return `#compdef glassbert
# glassbert completion zsh
_glassbert() {
  local -a commands=(
${names.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command="$words[2]"
  shift words
  (( CURRENT-- ))
  case "$command" in
${cases.join('\n')}
  esac
}
compdef _glassbert glassbert
`;
}

function zshValue(value: Value): string {
  if (value === null) return '';
  if (value === 'directory') return ':directory:_files -/';
  if (value === 'file') return ':file:_files';
  return value === 'other' ? ':value: ' : `:value:(${value.join(' ')})`;
}

function fish(commands: readonly Described[]): string {
  const first = commands.map(
    ({ name, summary }) => `complete -c glassbert -n __fish_use_subcommand -f -a ${name} -d ${single(summary)}`,
  );
  const options = commands.flatMap(({ name, options }) =>
    options.map(({ flags, summary, value }) => {
      const named = flags.map(flag => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`));
      return `complete -c glassbert -n '__fish_seen_subcommand_from ${name}' ${named.join(' ')}${fishValue(value)} -d ${single(summary)}`;
    }),
  );
  const words = [
    `complete -c glassbert -n '__fish_seen_subcommand_from completion' -f -a ${single(SHELLS.join(' '))}`,
    `complete -c glassbert -n '__fish_seen_subcommand_from help' -f -a ${single(commands.map(({ name }) => name).join(' '))}`,
  ];
  return `# glassbert completion fish\n${[...first, ...options, ...words].join('\n')}\n`;
}

function fishValue(value: Value): string {
  if (value === null) return '';
  if (value === 'directory') return " -x -a '(__fish_complete_directories)'";
  if (value === 'file') return ' -r';
  return value === 'other' ? ' -x' : ` -x -a ${single(value.join(' '))}`;
}

/** A word of the shell, whatever is in it. */
function single(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
