# Completion of `tm` for fish:  tm completion fish | source
function __tm_completion
    set -lx _TM_COMPLETE complete_fish
    set -lx _TYPER_COMPLETE_FISH_ACTION get-args
    set -lx _TYPER_COMPLETE_ARGS (commandline -cp)
    set -l found (command tm 2>/dev/null | string match -rv '^$')
    if test (count $found) -gt 0
        printf '%s\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete --command tm --no-files --arguments '(__tm_completion)'
