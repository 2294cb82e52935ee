#compdef tm
# Completion of `tm` for zsh:  eval "$(tm completion zsh)", after compinit; or as _tm in $fpath
_tm() {
    local line value
    local -a found
    for line in "${(@f)$(_TM_COMPLETE=complete_fish _TYPER_COMPLETE_FISH_ACTION=get-args \
        _TYPER_COMPLETE_ARGS="${(j: :)words[1,CURRENT]}" ${words[1]} 2>/dev/null)}"; do
        value="${line%%$'\t'*}"
        [[ -n $value ]] || continue
        if [[ $line == *$'\t'* ]]; then
            found+=("${value//:/\\:}:${line#*$'\t'}")
        else
            found+=("${value//:/\\:}")
        fi
    done
    if (( $#found )); then _describe 'tm' found; else _files; fi
}
if [[ ${funcstack[1]} == _tm ]]; then _tm "$@"; else compdef _tm tm; fi
