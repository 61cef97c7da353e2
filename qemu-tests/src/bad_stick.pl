# A stick of a bad kind, for as long as this process lives: a loop device on a file that a
# filesystem of its own (FUSE, linux/fuse.h) shows, with what is in IMAGE. Its last words on
# standard output are "device NAME". What becomes of each read and write is said by the one
# line in CONTROL, which may change at any time:
#
#   NUMBER well            as of any stick
#   NUMBER hang BYTES      once so many bytes were written nothing is answered ("hangs NUMBER")
#   NUMBER fail BYTES      once so many bytes were written each is an error: it is dead, or gone
#   NUMBER over BLOCK...   it has run out of flash and does not say so: what was never written
#                          before goes over these blocks of 4096 bytes, and round again
#
#   bad_stick.pl IMAGE CONTROL TOP    TOP is an empty directory, in a mount namespace of its own
use strict;
use warnings;

my ($image, $control, $top) = @ARGV;
$| = 1;
open(my $disk, '+<:raw', $image) or die "$image: $!\n";
my $size = -s $disk;
sysopen(my $kernel, '/dev/fuse', 2) or die "/dev/fuse: $!\n";
my ($name, $kind) = ('stick', 'fuse');
my $options = 'fd=' . fileno($kernel) . ',rootmode=40000,user_id=0,group_id=0';
# mount(2), on amd64.
syscall(165, $name, $top, $kind, 0, $options) == 0 or die "mount: $!\n";

# Whoever holds it open is not who answers: at the end the answers go first, so that nothing
# waits for them.
my $hold = 'set -e; device=$(losetup --find --show "$1"); blockdev --setrw "$device"; ' .
    'exec 8<"$device"; losetup --detach "$device"; echo "device $device"; exec sleep 100000';
if (!fork()) {
    exec 'setpriv', '--pdeathsig', 'KILL', 'sh', '-c', $hold, 'sh', "$top/stick";
    die "setpriv: $!\n";
}
$SIG{CHLD} = sub { die "there is no loop device\n" };

my ($line, $number, $how, @numbers) = ('', 0, 'well');
my $written = 0;
# Where the blocks lie that went over others, and how many did.
my (%over, $gone_over);

# Reads CONTROL, and waits there while the stick hangs.
sub behaviour {
    my $is_told = 0;
    while (1) {
        if (open(my $said, '<', $control)) {
            my $now = <$said> // '';
            if ($now ne $line) {
                ($line, $written, $gone_over) = ($now, 0, 0);
                ($number, $how, @numbers) = split ' ', $now;
            }
        }
        return $how if $how eq 'well' || $how eq 'over';
        return 'well' if $written < $numbers[0];
        return $how if $how ne 'hang';
        print "hangs $number\n" if !$is_told++;
        select(undef, undef, undef, 0.02);
    }
}

sub bytes_of {
    my ($block) = @_;
    sysseek($disk, $block * 4096, 0);
    sysread($disk, my $bytes, 4096);
    return $bytes;
}

# Calls `each` for the pieces of these bytes that lie in one block each: with the place in the
# image, and the length.
sub pieces {
    my ($at, $length, $is_written, $each) = @_;
    while ($length > 0) {
        my ($block, $behind) = (int($at / 4096), $at % 4096);
        if ($is_written && $how eq 'over' && !exists $over{$block} && bytes_of($block) !~ /[^\0]/) {
            $over{$block} = $numbers[$gone_over++ % @numbers];
        }
        my $some = $length < 4096 - $behind ? $length : 4096 - $behind;
        $each->(($over{$block} // $block) * 4096 + $behind, $some);
        $at += $some;
        $length -= $some;
    }
}

sub read_disk {
    my ($at, $length) = @_;
    my ($bytes, $piece) = ('', '');
    pieces($at, $length, 0, sub {
        sysseek($disk, $_[0], 0);
        sysread($disk, $piece, $_[1]);
        $bytes .= $piece;
    });
    return $bytes;
}

sub write_disk {
    my ($at, $bytes) = @_;
    my $done = 0;
    pieces($at, length $bytes, 1, sub {
        sysseek($disk, $_[0], 0);
        syswrite($disk, substr($bytes, $done, $_[1]));
        $done += $_[1];
    });
    $written += $done;
}

sub attributes {
    my ($node) = @_;
    my ($mode, $bytes) = $node == 1 ? (040700, 0) : (0100600, $size);
    return pack('Q6 L10', $node, $bytes, $bytes >> 9, (0) x 6, $mode, 1, 0, 0, 0, 4096, 0);
}

# The answer to a request of this kind: its error, and its bytes.
sub answer {
    my ($what, $node, $body) = @_;
    if ($what == 26) {    # FUSE_INIT
        return 0, pack('L4 S2 L2 S2 L8', 7, 31, 65536, 0, 16, 12, 131072, 1, 32, 0, (0) x 8);
    } elsif ($what == 1) {    # FUSE_LOOKUP
        return -2, '' if $body !~ /^stick\0/;
        return 0, pack('Q4 L2', 2, 0, 1000, 1000, 0, 0) . attributes(2);
    } elsif ($what == 3) {    # FUSE_GETATTR
        return 0, pack('Q L2', 1000, 0, 0) . attributes($node);
    } elsif ($what == 14) {    # FUSE_OPEN, and nothing of it is kept in memory
        return 0, pack('Q L2', 0, 1, 0);
    } elsif ($what == 18 || $what == 25 || $what == 38) {    # RELEASE, FLUSH, DESTROY
        return 0, '';
    } elsif ($what == 20) {    # FUSE_FSYNC
        return behaviour() eq 'fail' ? -5 : 0, '';
    } elsif ($what == 15) {    # FUSE_READ
        return -5, '' if behaviour() eq 'fail';
        my (undef, $at, $length) = unpack('Q Q L', $body);
        return 0, read_disk($at, $length);
    } elsif ($what == 16) {    # FUSE_WRITE
        return -5, '' if behaviour() eq 'fail';
        my (undef, $at, $length) = unpack('Q Q L', $body);
        write_disk($at, substr($body, 40, $length));
        return 0, pack('L2', $length, 0);
    }
    return -38, '';
}

while (1) {
    my $read = sysread($kernel, my $asked, 1 << 18);
    next if !defined $read && ($!{EINTR} || $!{ENOENT});
    last if !$read;
    my (undef, $what, $request, $node) = unpack('L L Q Q', $asked);
    # FORGET, BATCH_FORGET and INTERRUPT have no answer.
    next if $what == 2 || $what == 42 || $what == 36;
    my ($error, $bytes) = answer($what, $node, substr($asked, 40));
    syswrite($kernel, pack('L l Q', 16 + length $bytes, $error, $request) . $bytes);
}
