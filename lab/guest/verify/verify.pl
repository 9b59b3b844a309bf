#!/usr/bin/perl
# Tells what a restored set of disks is worth: verify.pl TOPOLOGY ENGINE,ENGINE... VOLUME-ID... Prints one JSON document.
# Without a volume it takes what is mounted where it was on the original, and the host's own databases are left alone.
# Every check stands for itself: what fails becomes a problem, and the next check goes on with what there is.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use JSON::PP;
use Check;
use Mariadb;
use Postgresql;
use Redis;

my %VERIFY = (mariadb => \&Mariadb::verify, postgresql => \&Postgresql::verify, redis => \&Redis::verify);

my ($topology, $engines, @volumes) = @ARGV;
my $mount = $topology eq 'root' ? '/restored' : '/data';
my $grouped = $topology =~ /lvm|data-and-log/;
my $logs = $topology eq 'data-and-log' ? '/log' : undef;
my $data = $topology eq 'root' ? "$mount/var/lib" : $mount;
my $folder = $topology eq 'root' ? "$mount/var/lib/lab-files" : "$mount/files";
my %report = (
    assembled => false, mounted => false, fsck => undef, databases => {}, files => undef, merged => [], problems => \@problems,
);

if (@volumes) {
    command('systemctl stop mariadb');
    my $device = assemble();
    if ($device) {
        $report{assembled} = true;
        $report{mounted} = boolean(check_file_system($device, $mount) && (!$logs || check_file_system('/dev/vg0/log', $logs)));
    }
}
if ($report{mounted} || !@volumes) {
    check_files();
    check_database($_) for split /,/, $engines;
}
print JSON::PP->new->canonical->encode(\%report), "\n";

sub check_database {
    my ($engine) = @_;
    my $verdict = $report{databases}{$engine} = $VERIFY{$engine}->($data, $logs);
    return unless $verdict->{started};
    problem("$engine: the entries have gaps") unless $verdict->{contiguous};
    problem("$engine: the sum of the accounts is " . ($verdict->{balance} // 'unknown')) unless ($verdict->{balance} // 0) == 1_000_000;
}

# --- the array ---

sub assemble {
    my @disks = map { wait_for_disk($_ =~ s/-//r) } @volumes;
    return if grep { !$_ } @disks;
    return $disks[0] if $topology eq 'single' || $topology eq 'root';
    command('udevadm settle --timeout=20');
    # Whatever udev has not done by itself.
    command('mdadm --assemble --scan --run') unless -e '/sys/block/md0' || glob '/sys/block/md12*';
    command('cryptsetup open --key-file /etc/lab.key ' . array() . ' secret') if $topology =~ /luks/;
    command('vgchange -q -ay') if $grouped;
    merge_snapshots() if $grouped;
    my $found = $grouped ? '/dev/vg0/data' : array();
    return $found if $found && wait_until(sub { -b $found });
    problem('the array does not assemble');
    return;
}

sub array { return (map { s{^/sys/block}{/dev}r } glob '/sys/block/md*')[0] }

sub wait_for_disk {
    my ($serial) = @_;
    my $disk;
    wait_until(sub {
        for my $path (glob '/sys/block/nvme*') {
            my $name = $path =~ s{.*/}{}r;
            $disk = "/dev/$name" if slurp("$path/device/serial") =~ /^\Q$serial\E\s*$/ && -b "/dev/$name";
        }
        return $disk;
    }) or problem("no disk with serial $serial");
    return $disk;
}

# A set taken in mode lvm-snapshot: the good state is in the LVM snapshots. Merged before the first mount.
sub merge_snapshots {
    my $listed = command(q{lvs --noheadings -o vg_name,lv_name -S 'lv_tags=freezeframe && lv_name=~"^ff_"'});
    for my $line (split /\n/, $listed->{output}) {
        my ($group, $snapshot) = split ' ', $line or next;
        my $merged = command("lvconvert -y -i1 --merge $group/$snapshot", 120);
        problem("merge of $snapshot: $merged->{output}") if $merged->{code};
        push @{ $report{merged} }, $snapshot unless $merged->{code};
    }
    return unless @{ $report{merged} };
    my $leftover = 'lvs --noheadings -a -o lv_name -S lv_merging=1';
    wait_until(sub { command($leftover)->{output} !~ /\S/ }, 60) or problem('an LVM snapshot does not finish its merge');
}

# --- the file system ---

sub check_file_system {
    my ($device, $place) = @_;
    my $type = command("blkid -o value -s TYPE $device")->{output} =~ s/\s//gr;
    my $options = $type eq 'xfs' ? '-o nouuid' : '';
    mkdir $place;
    # The first mount replays the log; only then does a check mean anything.
    my $replay = command("mount -t $type $options $device $place && umount $place", 60);
    if ($replay->{code}) {
        return problem("mount: $replay->{output}" . command('dmesg | grep -iE "xfs|ext4" | tail -n 4')->{output});
    }
    my $check = command($type eq 'xfs' ? "xfs_repair -n $device" : "e2fsck -fn $device", 120);
    $report{fsck} = $check->{code} == 0 && ($report{fsck} // 'clean') eq 'clean' ? 'clean' : 'damaged';
    problem("fsck: " . substr $check->{output}, -500) if $check->{code};
    my $final = command("mount -t $type $options $device $place");
    problem("second mount: $final->{output}") if $final->{code};
    return !$final->{code};
}

# --- the files ---

sub check_files {
    return unless -e "$folder/A";
    my ($wrong, $ok) = (0, 0);
    my ($last_a, $last_b) = map { count_numbers("$folder/$_") } qw(A B);
    problem("B is at $last_b, A at $last_a") unless $last_a - $last_b =~ /^[01]$/;
    my $from = $last_b - 119 < 1 ? 1 : $last_b - 119;
    for my $number ($from .. $last_b - 1) {
        slurp("$folder/$number.file") eq content($number) ? $ok++ : $wrong++;
    }
    problem("$wrong of " . ($ok + $wrong) . ' files have wrong content or are missing') if $wrong;
    $report{files} = { ok => $ok, wrong => $wrong, lastA => $last_a, lastB => $last_b };
}

# The last number, if the file is 1, 2, 3 … without a gap.
sub count_numbers {
    my ($path) = @_;
    my $text = slurp($path);
    my $count = () = $text =~ /\n/g;
    problem("$path is not the numbers in a row") if $text ne join '', map { "$_\n" } 1 .. $count;
    return $count;
}

# write-files.pl knows this line too.
sub content { my ($number) = @_; return substr "file $number\n" x 8000, 0, 60_000 + $number * 37 % 10_000 }
