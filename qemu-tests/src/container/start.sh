# Becomes the systemd of a container. Runs in namespaces of its own (mount,
# pid, uts, ipc, net, cgroup), in which it is process 1.
#
#   start.sh TOP LOOP OPENS    TOP is an empty directory of this container,
#                              LOOP the loop device with its disk; OPENS is
#                              "opens" where the vault opens during the boot
set -eu
top=$1
loop=$2
opens=$3
name=${loop##*/}
root=$top/root

# /proc is still the host's, and so is the number that it says.
read -r pid rest </proc/self/stat
echo "$pid" >"$top/init.part"
mv "$top/init.part" "$top/init"

mkdir "$root" "$top/dev"
mount -t tmpfs -o mode=755 tmpfs "$top/dev"
for path in "/sys/class/block/$name" "/sys/class/block/$name"p*; do
    number=$(cat "$path/dev")
    mknod -m 600 "$top/dev/${path##*/}" b "${number%:*}" "${number#*:}"
done
mount -t ext4 "$top/dev/${name}p1" "$root"
# From here on the kernel lets go of it when the last mount is gone, that is
# when the last process of the container is.
losetup --detach "$loop"
mount --move "$top/dev" "$root/dev"
dev=$root/dev
for node in null zero full random urandom tty; do
    touch "$dev/$node"
    mount --bind "/dev/$node" "$dev/$node"
done
mkdir "$dev/pts" "$dev/shm"
mount -t devpts -o newinstance,ptmxmode=666 devpts "$dev/pts"
mount -t tmpfs -o size=64m tmpfs "$dev/shm"
ln -s pts/ptmx "$dev/ptmx"
ln -s /proc/self/fd "$dev/fd"
ln -s fd/0 "$dev/stdin"
ln -s fd/1 "$dev/stdout"
ln -s fd/2 "$dev/stderr"

mount -t proc proc "$root/proc"
# The kernel's settings are the host's; what it calls a boot is not.
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
cat /proc/sys/kernel/random/uuid >"$top/boot_id"
mount --bind "$top/boot_id" "$root/proc/sys/kernel/random/boot_id"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755,size=200m tmpfs "$root/run"
# So is its swap, in which no test here has an interest.
head -n 1 /proc/swaps >"$root/run/swaps"
mount --bind "$root/run/swaps" "$root/proc/swaps"
# There is no serial port that it could listen on.
mkdir -p "$root/run/systemd/system/guest-shell.service.d"
printf '[Unit]\nConditionPathExists=/dev/ttyS1\n' \
    >"$root/run/systemd/system/guest-shell.service.d/container.conf"

cd "$root"
pivot_root . mnt
umount -l /mnt
hostname clinic
ip link set lo up
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
# As systemd does it on a machine: a mount is seen in the namespaces of units.
mount --make-rshared /
# The initramfs of a machine waits for ever where the vault does not open.
stage=/usr/lib/stayput/stayput-boot
if [ "$opens" = opens ] && [ -x "$stage" ] && [ -e /etc/stayput/vault.conf ]; then
    timeout --signal=KILL 30 "$stage" </dev/null >/run/boot-stage 2>&1 ||
        echo "the boot stage ended with $?"
fi
exec env -i container=lxc PATH="$PATH" /sbin/init
