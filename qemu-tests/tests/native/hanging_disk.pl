# A disk that hangs: a filesystem (FUSE, linux/fuse.h) over the directory TOP that answers
# nobody. Whoever asks it anything waits in the kernel, where no signal reaches, until this
# process ends.
#
#   hanging_disk.pl TOP
use strict;
use warnings;

my $top = shift or die "which directory?\n";
system('mknod', '/dev/fuse', 'c', '10', '229') if !-e '/dev/fuse';
sysopen(my $kernel, '/dev/fuse', 2) or die "/dev/fuse: $!\n";
my ($name, $kind) = ('hanging', 'fuse');
my $options = 'fd=' . fileno($kernel) . ',rootmode=40000,user_id=0,group_id=0,allow_other';
# mount(2), on amd64.
syscall(165, $name, $top, $kind, 0, $options) == 0 or die "mount: $!\n";

# The one answer that it gives: the mount's first words (FUSE_INIT).
sysread($kernel, my $asked, 1 << 17) or die "nobody asks: $!\n";
my (undef, undef, $number) = unpack('L L Q', $asked);
my $answer = pack('L L L L S S L L S S L8', 7, 31, 65536, 0, 1, 1, 65536, 1, 1, 0, (0) x 8);
syswrite($kernel, pack('L l Q', 16 + length $answer, 0, $number) . $answer);

# It is in use: openat(2) with O_PATH asks nothing.
syscall(257, -100, $top, 0x200000) >= 0 or die "open: $!\n";
$| = 1;
print "hangs\n";
while (sysread($kernel, $asked, 1 << 17)) { }
