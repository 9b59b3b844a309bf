#!/usr/bin/perl
# Tells what a restored set of disks is worth: verify.pl TOPOLOGY VOLUME-ID... Prints one JSON document.
# Every check stands for itself: what fails becomes a problem, and the next check goes on with what there is.
use strict;
use warnings;
use JSON::PP;

my ($topology, @volumes) = @ARGV;
my $mount = $topology eq 'root' ? '/restored' : '/data';
my $database = $topology eq 'root' ? "$mount/var/lib/mysql" : "$mount/mysql";
my $folder = $topology eq 'root' ? "$mount/var/lib/lab-files" : "$mount/files";
my @problems;
my %report = (
    assembled => JSON::PP::false, mounted => JSON::PP::false, fsck => undef, dbStarted => JSON::PP::false, checkTable => undef,
    maxId => undef, idsContiguous => undef, balance => undef, files => undef, merged => [], problems => \@problems,
);

my $device = assemble();
if ($device) {
    $report{assembled} = JSON::PP::true;
    check_file_system($device);
}
if ($report{mounted}) {
    check_files();
    check_database();
}
print JSON::PP->new->canonical->encode(\%report), "\n";

# --- the array ---

sub assemble {
    my @disks = map { wait_for_disk($_ =~ s/-//r) } @volumes;
    return if grep { !$_ } @disks;
    return $disks[0] if $topology eq 'single' || $topology eq 'root';
    command('udevadm settle --timeout=20');
    # Whatever udev has not done by itself.
    command('mdadm --assemble --scan --run') unless -e '/sys/block/md0' || glob '/sys/block/md12*';
    command('vgchange -q -ay') if $topology =~ /lvm/;
    merge_snapshots() if $topology =~ /lvm/;
    my $found = $topology =~ /lvm/ ? '/dev/vg0/data' : (map { s{^/sys/block}{/dev}r } glob '/sys/block/md*')[0];
    return $found if $found && wait_until(sub { -b $found });
    problem('the array does not assemble');
    return;
}

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
    my ($device) = @_;
    my $type = command("blkid -o value -s TYPE $device")->{output} =~ s/\s//gr;
    my $options = $type eq 'xfs' ? '-o nouuid' : '';
    mkdir $mount;
    # The first mount replays the log; only then does a check mean anything.
    my $replay = command("mount -t $type $options $device $mount && umount $mount", 60);
    if ($replay->{code}) {
        problem("mount: $replay->{output}" . command('dmesg | grep -iE "xfs|ext4" | tail -n 4')->{output});
        return;
    }
    my $check = command($type eq 'xfs' ? "xfs_repair -n $device" : "e2fsck -fn $device", 120);
    $report{fsck} = $check->{code} == 0 ? 'clean' : 'damaged';
    problem("fsck: " . substr $check->{output}, -500) if $check->{code};
    my $final = command("mount -t $type $options $device $mount");
    problem("second mount: $final->{output}") if $final->{code};
    $report{mounted} = JSON::PP::true unless $final->{code};
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

# --- the database ---

sub check_database {
    return problem("no database in $database") unless -d $database;
    my $run = '/run/lab/verify';
    command("systemctl stop mariadb; install -d -o mysql $run; rm -f $run/*");
    my $server = "mariadbd --user=mysql --datadir=$database --skip-networking --socket=$run/sock --pid-file=$run/pid"
        . " --log-error=$run/error.log";
    command("setsid $server >/dev/null 2>&1 </dev/null &");
    my $up = wait_until(sub { command("mariadb-admin --socket=$run/sock ping")->{code} == 0 }, 60, 0.3);
    if (!$up) {
        problem("the database does not start: " . command("grep -i error $run/error.log | head -n 5")->{output});
        return command("pkill -9 -F $run/pid");
    }
    $report{dbStarted} = JSON::PP::true;
    my $query = sub { command("mariadb --socket=$run/sock -N -B lab -e '$_[0]'") };
    my $tables = $query->('CHECK TABLE entries, accounts EXTENDED');
    my @bad = grep { !/\tstatus\tOK$/ } split /\n/, $tables->{output};
    $report{checkTable} = @bad || $tables->{code} ? 'damaged' : 'OK';
    problem("CHECK TABLE: @bad") if @bad;
    my ($max, $contiguous) = split ' ', $query->(
        'SELECT COALESCE(MAX(id), 0), COALESCE(MAX(id) - MIN(id) + 1 = COUNT(*), 1) FROM entries')->{output};
    my ($balance) = split ' ', $query->('SELECT SUM(balance) FROM accounts')->{output};
    @report{qw(maxId idsContiguous balance)} = (number($max), $contiguous ? JSON::PP::true : JSON::PP::false, number($balance));
    problem('the ids of the entries have gaps') unless $contiguous;
    problem('the sum of the accounts is ' . ($balance // 'unknown')) unless ($balance // 0) == 1_000_000;
    command("mariadb-admin --socket=$run/sock shutdown", 60);
}

# --- helpers ---

sub number { return defined $_[0] && $_[0] =~ /^-?\d+$/ ? $_[0] + 0 : undef }

sub problem { push @problems, $_[0] =~ s/\s+\z//r; return }

sub command {
    my ($line, $seconds) = (@_, 30);
    open my $pipe, '-|', 'timeout', '-k', '5', $seconds, 'bash', '-c', "exec 2>&1; $line" or return { code => 127, output => "$!" };
    local $/;
    my $output = <$pipe> // '';
    close $pipe;
    return { code => $? >> 8 || $? & 127, output => $output };
}

sub wait_until {
    my ($test, $seconds, $pause) = @_;
    my $end = time + ($seconds // 20);
    while (time < $end) {
        return 1 if $test->();
        select undef, undef, undef, $pause // 0.05;
    }
    return 0;
}

sub slurp {
    my ($path) = @_;
    open my $file, '<:raw', $path or return '';
    local $/;
    return <$file> // '';
}
