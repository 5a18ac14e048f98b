# fish completion for tcpstorm: commands, options and their words, with what the help says of each. The program itself
# knows them: "tcpstorm options".

function __tcpstorm_command
    set -l words (commandline -opc)
    if test (count $words) -gt 1; and not string match -q -- '-*' $words[2]
        echo $words[2]
    else
        echo storm
    end
end

function __tcpstorm_is_first
    test (count (commandline -opc)) -eq 1
end

# The value that the option before the cursor wants: "NAME", "auto|netlink"; nothing where it wants none.
function __tcpstorm_wanted
    set -l words (commandline -opc)
    set -l option (string replace -- '--' '' $words[-1])
    string match -q -- '--*' $words[-1]; or return 1
    for row in ($words[1] options --rows (__tcpstorm_command) 2>/dev/null)
        set -l fields (string split \t -- $row)
        test "$fields[1]" = "$option"; and test "$fields[2]" != -; and echo $fields[2]
    end
end

function __tcpstorm_options
    set -l words (commandline -opc)
    set -l command (__tcpstorm_command)
    set -l allowed ($words[1] options $command $words[2..-1] 2>/dev/null)
    for row in ($words[1] options --rows $command 2>/dev/null)
        set -l fields (string split \t -- $row)
        contains -- --$fields[1] $allowed; and printf '%s\t%s\n' --$fields[1] $fields[4]
    end
end

function __tcpstorm_values
    set -l words (commandline -opc)
    set -l value (__tcpstorm_wanted)
    switch "$words[-1] "(__tcpstorm_command)
        case '--order audit'
            string split '|' -- $value
        case '--order *'
            $words[1] orders --names 2>/dev/null
            echo all
        case '--cause *'
            $words[1] causes 2>/dev/null | string match -r --groups-only '^([a-z][a-z-]*):'
        case '*'
            switch "$value"
                case FILE PATH
                    __fish_complete_path (commandline -ct)
                case '*|*'
                    string match -qr '[A-Z]' -- $value; or string split '|' -- $value
            end
    end
end

complete -c tcpstorm -f
complete -c tcpstorm -n 'test -n "$(__tcpstorm_wanted)"' -a '(__tcpstorm_values)'
complete -c tcpstorm -n 'test -z "$(__tcpstorm_wanted)"; and __tcpstorm_is_first' -a '(tcpstorm options --commands 2>/dev/null)'
complete -c tcpstorm -n 'test -z "$(__tcpstorm_wanted)"' -a '(__tcpstorm_options)'
