# Completion of `tm` for bash, 4.4 or newer:  eval "$(tm completion bash)"
_tm_completion() {
    local typed="${COMP_LINE:0:COMP_POINT}" line value before=""
    value="${typed##*[[:space:]]}"
    [[ $value == --*=* ]] && value="${value#*=}"
    # bash takes a word apart at its colons, and puts back only the last part of it
    [[ $value == *:* ]] && before="${value%"${value##*:}"}"
    COMPREPLY=()
    while IFS= read -r line; do
        line="${line%%$'\t'*}"
        [[ -n $line ]] && COMPREPLY+=("${line#"$before"}")
    done < <(_TM_COMPLETE=complete_fish _TYPER_COMPLETE_FISH_ACTION=get-args \
        _TYPER_COMPLETE_ARGS="$typed" "${COMP_WORDS[0]}" 2>/dev/null)
    [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null
    return 0
}
complete -o default -F _tm_completion tm
