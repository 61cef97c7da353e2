#!/bin/bash
# Puts the boot stage into an initramfs that dracut makes: as a unit of its own,
# for which everything that touches a disk waits. A hook of dracut's could hold
# no prompt: it has no terminal, and a failure of it is ignored.
#
# shellcheck disable=SC2154 # dracut sets initdir, moddir, kernel, outfile and the
# folders of systemd's units.

stage=/usr/lib/stayput/stayput-boot
runner=/usr/lib/stayput/run-stage
useful=/usr/lib/stayput/modules
place=/etc/stayput/vault.conf
mark=/etc/stayput/installed

check() {
    [[ ! -s $mark ]] || return 0
    # Where the mark is lost, an encrypted database tells that the stage belongs in.
    [[ -e $mark || ! -e /var/lib/stayput/mariadb.check ]] || return 0
    # `stayput install` has not been run here, or `stayput uninstall` has.
    if [[ -s $place ]]; then
        dwarn "stayput: the boot stage is left out. Where it belongs in: stayput install"
    fi
    return 1
}

depends() {
    echo dracut-systemd
}

# A kernel without an initramfs would start nothing at all: so only one that has
# an older initramfs is refused a new one, and only where the stage itself is
# missing.
cannot() {
    dfatal "stayput: $1"
    if [[ -e $outfile ]]; then
        dfatal "stayput: the initramfs of $kernel was kept as it is. $2"
        exit 1
    fi
    dfatal "stayput: the kernel $kernel starts without the database. $2"
}

installkernel() {
    local modules vital
    # What this machine and its sticks need in this kernel, by the rule by which
    # `stayput check` misses it. It says itself what this kernel lacks.
    modules=$(/usr/sbin/stayput initramfs-modules "$kernel") ||
        dwarn "stayput: see above. After a restart with $kernel, sticks or the network may not work."
    # What the stage loads itself: udev comes to it among hundreds of devices.
    vital=$(/usr/sbin/stayput initramfs-modules --vital "$kernel" 2>/dev/null) || vital=''
    mkdir -p "$initdir/usr/lib/stayput"
    printf '%s\n' "$vital" >"$initdir/usr/lib/stayput/drivers"
    # Also what this machine has no device for now.
    # shellcheck disable=SC2046,SC2086 # Lists of words.
    hostonly='' instmods -s $(sed '/^#/d' "$useful") $modules
}

install() {
    local needed unit
    for needed in "$stage" "$runner" "$place"; do
        if [[ ! -s $needed ]]; then
            cannot "$needed is missing." \
                "Run: stayput init, which finds a vault that is there, then stayput install"
            return
        fi
    done
    if [[ ! -x $stage ]]; then
        cannot "$stage cannot be run." "Run: chmod 755 $stage, then stayput install"
        return
    fi
    for needed in "$stage" "$runner" "$place"; do
        inst_simple "$needed" || true
        if ! cmp -s "$needed" "$initdir/$needed"; then
            cannot "$needed could not be copied." "Is the disk full? Then run: stayput install"
            return
        fi
    done
    if [[ ! -x $initdir/$stage ]]; then
        cannot "the copy of $stage cannot be run." "Which umask is set? Then run: stayput install"
        return
    fi
    inst_multiple sh sleep modprobe
    inst_simple "$moddir/stayput-boot.service" "$systemdsystemunitdir/stayput-boot.service"
    mkdir -p "$initdir$systemdsystemunitdir/initrd.target.requires"
    ln -sf ../stayput-boot.service "$initdir$systemdsystemunitdir/initrd.target.requires/"
    while read -r unit; do
        inst_simple "$moddir/after-stage.conf" "$systemdsystemunitdir/$unit.d/stayput.conf"
    done <"$moddir/waiting-units"
    inst_simple "$moddir/device.conf" "$systemdsystemunitdir/device.d/stayput.conf"
    # When a later step fails, dracut offers a shell to whoever stands there; the
    # keys are in memory by then. It restarts instead. What the owner has set on
    # the kernel's command line stands.
    inst_hook emergency 99 "$moddir/pause.sh"
    inst_hook shutdown-emergency 99 "$moddir/pause.sh"
    inst_simple "$moddir/cmdline.conf" /etc/cmdline.d/50-stayput.conf
}
