#!/bin/bash
# Mistreats the commands of stayput and prints a line for everything that is wrong
# afterwards. Runs as root on a server whose vault is a file, with a stick in.
#
#   mistreated.sh HOW VOLUME    VOLUME is the partition with the vault
#
# The stick is /dev/sdb1; the network card is eth0, which is switched off.
#
# A command is a list of words.
# shellcheck disable=SC2086
how=$1
volume=$2
out=/run/mistreated
mkdir -p "$out"

# What is typed, then the command.
commands=(
    '|status'
    '|log'
    '|log --verify'
    '|check --cards'
    '|policy'
    '|policy --watch-every 7'
    '|simulate --without place'
    '|audit'
    '|code'
    'five random words it is|passphrase add Halima --passphrase-stdin'
    'six random words that it was|passphrase change Halima --passphrase-stdin'
    '|passphrase list'
    '|passphrase remove Halima --yes --yes'
    '4711|stick make /dev/sdb1 --label office --pin-stdin'
    '4711|stick verify /dev/sdb1 --pin-stdin'
    '|stick list'
    '|enroll --neighbour 192.168.77.1'
    '|enroll --refresh'
    '|release --no-start'
    '|release --take-back'
    '|reset --dry-run'
    '|init --name other --vault /dev/sdb1'
    '|mariadb enable --undo'
    '|uninstall'
)

wrong() { printf '%s: %s\n' "$1" "$2"; }

# An exit code of its own, or the signal's: no abort.
ended() { # WHAT STATUS SIGNAL
    case $2 in
    [0-4]) ;;
    129) [ "$3" = HUP ] || wrong "$1" "ended with $2" ;;
    130) [ "$3" = INT ] || wrong "$1" "ended with $2" ;;
    143) [ "$3" = TERM ] || wrong "$1" "ended with $2" ;;
    *) wrong "$1" "ended with $2: $(tail -n 3 "$out/said")" ;;
    esac
    if grep -q 'panicked\|RUST_BACKTRACE' "$out/said"; then
        wrong "$1" "panicked: $(cat "$out/said")"
    fi
}

running() { grep -lx 'stayput.*' /proc/[0-9]*/comm 2>/dev/null; }

# Nothing is mounted, protected from writing, up, or running any more.
is_clean() { # WHAT
    local i=0 name
    # Who looks at a stick ends by itself.
    while running >/dev/null && [ $i -lt 200 ]; do
        sleep 0.05
        i=$((i + 1))
    done
    for name in $(running); do
        wrong "$1" "left: $(tr '\0' ' ' <"${name%comm}cmdline") $(grep State "${name%comm}status")"
    done
    for name in "$volume" /dev/sdb1; do
        [ "$(blockdev --getro "$name")" = 0 ] || wrong "$1" "$name takes no writes"
        ! grep -q "^$name " /proc/mounts || wrong "$1" "$name is mounted"
    done
    [ $(($(cat /sys/class/net/eth0/flags) & 1)) = 0 ] || {
        wrong "$1" "eth0 is up: $(ip -o address show dev eth0)"
        ip link set eth0 down
    }
}

# Says all to $out/said; its exit code is the command's.
undisturbed() { # TYPED COMMAND
    printf '%s\n' "$1" | stayput $2 2>&1 | cat >"$out/said"
    return "${PIPESTATUS[1]}"
}

each() { # FUNCTION
    local line
    for line in "${commands[@]}"; do
        "$1" "${line%%|*}" "${line#*|}"
        is_clean "$how: $2${line#*|}"
    done
}

killed() { # TYPED COMMAND
    local signal begun took moment at after
    begun=$(date +%s%N)
    undisturbed "$1" "$2"
    took=$((($(date +%s%N) - begun) / 1000))
    for signal in TERM INT HUP; do
        for moment in 1 2 3 4 5 6 7 8 9 10; do
            # In microseconds: ten moments, the last one just before its end.
            at=$((took * moment * 2 / 21))
            after=$(printf '%d.%06d' $((at / 1000000)) $((at % 1000000)))
            printf '%s\n' "$1" |
                timeout --preserve-status --kill-after 20 --signal "$signal" "$after" \
                    stayput $2 >"$out/said" 2>&1
            ended "$2, $signal after $after s" "${PIPESTATUS[1]}" "$signal"
            is_clean "$2, $signal after $after s"
        done
    done
}

unread() { # TYPED COMMAND
    local before
    undisturbed "$1" "$2"
    before=$?
    printf '%s\n' "$1" | stayput $2 2>"$out/said" | head -n 1 >/dev/null
    local status=${PIPESTATUS[1]}
    ended "$2 | head" "$status"
    # The second time a name is taken, or gone.
    [[ $2 = passphrase* ]] || [ "$status" = $before ] || wrong "$2 | head" "ended with $status, not $before"
    printf '%s\n' "$1" | stayput $2 2>"$out/said" | true
    ended "$2 | true" "${PIPESTATUS[1]}"
    printf '%s\n' "$1" | stayput $2 >&- 2>"$out/said"
    ended "$2 >&-" "${PIPESTATUS[1]}"
    printf '%s\n' "$1" | stayput $2 >&- 2>&-
    ended "$2 >&- 2>&-" "${PIPESTATUS[1]}"
    printf '%s\n' "$1" | stayput $2 2>"$out/said" >/dev/full
    ended "$2 >/dev/full" "${PIPESTATUS[1]}"
    [ -s "$out/said" ] || wrong "$2 >/dev/full" "says nothing"
}

twice() { # TYPED COMMAND
    local other
    printf '%s\n' "$1" | stayput $2 >"$out/other" 2>&1 &
    other=$!
    undisturbed "$1" "$2"
    ended "$2, twice" $?
    wait $other
    ended "$2, twice" $?
    if grep -h 'resource busy\|error 16' "$out/said" "$out/other"; then
        wrong "$2, twice" 'stands in its own way'
    fi
}

ordinary() { # TYPED COMMAND
    printf '%s\n' "$1" |
        setpriv --reuid 65534 --regid 65534 --clear-groups stayput $2 >"$out/said" 2>&1
    ended "$2, not as root" "${PIPESTATUS[1]}"
    grep -q root "$out/said" || wrong "$2, not as root" "says: $(cat "$out/said")"
}

in_need() { # TYPED COMMAND
    undisturbed "$1" "$2"
    ended "$2, $how" $?
}

# Kills a command in a terminal while it waits for a secret.
echoless() {
    local signal
    for signal in TERM INT HUP; do
        script -qec "timeout --foreground --signal $signal 1 stayput policy --code; stty -a" \
            /dev/null </dev/null >"$out/said" 2>&1
        grep -q 'Recovery code' "$out/said" || wrong "$signal" "nobody was asked: $(cat "$out/said")"
        grep -q ' echo ' "$out/said" || wrong "$signal" "the terminal shows nothing any more"
    done
}

# A command waits for an answer, another one is killed for good; nobody else is kept
# out by either.
held() {
    local holder after
    mkfifo "$out/nobody"
    stayput policy --code --passphrase-stdin <"$out/nobody" >/dev/null 2>&1 &
    holder=$!
    exec 9>"$out/nobody"
    sleep 0.5
    undisturbed '' 'policy --watch-every 8' || wrong 'beside an open question' "$(cat "$out/said")"
    undisturbed '' 'reset --dry-run' || wrong 'beside an open question' "$(cat "$out/said")"
    exec 9>&-
    wait $holder
    # A shell of its own, which tells nobody who was killed.
    bash -c 'for after in 0.01 0.02 0.03 0.05 0.08 0.13 0.2; do
        timeout --signal KILL $after stayput simulate --without place
        timeout --signal KILL $after stayput policy --stick /dev/sdb1
    done' >/dev/null 2>&1 </dev/null
    # What a look leaves that was killed: setxattr(2), on amd64.
    blockdev --setro "$volume" /dev/sdb1
    perl -e 'my ($name, $value) = ("trusted.stayput.look", "1"); syscall(188, $_, $name, $value, 1, 0) and die $! for @ARGV' \
        "$volume" /dev/sdb1
    undisturbed '' 'policy --watch-every 7' || wrong 'after a kill' "$(cat "$out/said")"
    undisturbed 4711 'stick make /dev/sdb1 --label office --pin-stdin' ||
        wrong 'after a kill' "$(cat "$out/said")"
}

# Somebody else tries to read the stick's key file while commands look at it.
spied_on() {
    local spy i
    setpriv --reuid 65534 --regid 65534 --clear-groups bash -c \
        'while :; do for file in /run/*/stayput/*.key /proc/[0-9]*/fd/*/stayput/*.key \
             /proc/[0-9]*/root/run/*/stayput/*.key; do
             read -r line <"$file" && echo "read $file"; done; done' >"$out/spied" 2>/dev/null &
    spy=$!
    for i in 1 2 3 4 5 6 7 8 9 10; do
        undisturbed 4711 'policy --stick /dev/sdb1 --pin-stdin' || wrong 'the stick' "$(cat "$out/said")"
    done
    kill $spy
    wait $spy 2>/dev/null
    [ ! -s "$out/spied" ] || wrong 'a local user' "$(head -n 3 "$out/spied")"
}

case $how in
killed) each killed ;;
unread) each unread ;;
twice) each twice ;;
ordinary) each ordinary ;;
'on a read-only root' | 'on a full disk') each in_need ;;
alone)
    echoless
    held
    spied_on
    is_clean alone
    ;;
esac
