"""The functions of bash, zsh and fish that ask promptreid what a word may go on with.

Each hands over the line as it was typed up to the cursor and reads one offer a line: its kind, the
word, and what it means, with tabs between them. A `part` goes on being typed; `file` and `dir` are
left to the shell.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

SHELL, TYPED = "PROMPTREID_COMPLETE", "PROMPTREID_TYPED"
"""Variables of the environment that hold the shell's name and the line as it was typed."""

# Bash takes : and = for ends of words, so only what follows the last of them is replaced.
_BASH = r"""_promptreid_completion() {
    local kind word about cut="" typed="${COMP_LINE:0:COMP_POINT}" last="${COMP_WORDS[COMP_CWORD]}"
    COMPREPLY=()
    while IFS=$'\t' read -r kind word about; do
        case "$kind" in
            cut) [[ $last == [\"\']* || $COMP_WORDBREAKS != *"${word: -1}"* ]] || cut="$word" ;;
            dir) compopt -o filenames -o dirnames 2>/dev/null ;;
            file) compopt -o filenames -o default 2>/dev/null ;;
            *)
                [[ $kind == part ]] && compopt -o nospace 2>/dev/null
                word="${word#"$cut"}"
                [[ $last == [\"\']* ]] || printf -v word %q "$word"
                COMPREPLY+=("$word") ;;
        esac
    done < <(PROMPTREID_COMPLETE=bash PROMPTREID_TYPED="$typed" "$1" 2>/dev/null)
}
complete -F _promptreid_completion promptreid
"""

_ZSH = r"""#compdef promptreid
_promptreid() {
    local kind word about
    local -a wholes parts shown_wholes shown_parts
    while IFS=$'\t' read -r kind word about; do
        case "$kind" in
            dir) _path_files -/ ;;
            file) _path_files ;;
            part) parts+=("$word"); shown_parts+=("$word${about:+  -- $about}") ;;
            whole) wholes+=("$word"); shown_wholes+=("$word${about:+  -- $about}") ;;
        esac
    done < <(PROMPTREID_COMPLETE=zsh PROMPTREID_TYPED="${(j: :)words[1,CURRENT]}" \
        "${words[1]}" 2>/dev/null)
    (( $#parts )) && compadd -l -S '' -d shown_parts -a parts
    (( $#wholes )) && compadd -l -d shown_wholes -a wholes
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _promptreid "$@"
else
    compdef _promptreid promptreid
fi
"""

_FISH = r"""function __promptreid_completion
    set -lx PROMPTREID_COMPLETE fish
    set -lx PROMPTREID_TYPED (commandline -cp)
    promptreid 2>/dev/null | while read -l -d \t kind word about
        switch $kind
            case dir
                __fish_complete_directories (commandline -ct)
            case file
                __fish_complete_path (commandline -ct)
            case part whole
                printf '%s\t%s\n' $word $about
        end
    end
end
complete -c promptreid -f -a '(__promptreid_completion)'
"""

SCRIPTS: Mapping[str, str] = MappingProxyType({"bash": _BASH, "zsh": _ZSH, "fish": _FISH})
"""The script for each shell."""
