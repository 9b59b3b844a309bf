#!/usr/bin/perl
# A file system under load, in a folder: append N to A, fsync, append N to B, fsync, write file N aside, fsync, rename;
# then the 120th oldest goes. "N <monotonic ms>" to the acknowledgements when N is in A, B and its file.
# So at every instant: A and B are the numbers in a row, B is at most one behind A, and file N-1 is whole when B holds N.
use strict;
use warnings;
use IO::Handle;
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);

use constant KEPT_FILES => 120;

my ($folder) = @ARGV;
open my $acks, '>>', '/run/lab/acks-files' or die "acks: $!";
$acks->autoflush(1);
mkdir $folder;
my ($first, $second) = map { open my $file, '>>', "$folder/$_" or die "$_: $!"; $file } qw(A B);
my $number = last_number("$folder/B");
while (1) {
    $number++;
    append($first, "$number\n");
    append($second, "$number\n");
    open my $file, '>', "$folder/new" or die "new: $!";
    append($file, content($number));
    close $file;
    rename "$folder/new", "$folder/$number.file" or die "rename: $!";
    unlink "$folder/" . ($number - KEPT_FILES) . '.file';
    printf {$acks} "%d %d\n", $number, 1000 * clock_gettime(CLOCK_MONOTONIC);
}

sub append {
    my ($file, $text) = @_;
    print {$file} $text or die "write: $!";
    $file->flush;
    $file->sync or die "fsync: $!";
}

# 60 to 70 kB, different for every number. verify.pl knows this line too.
sub content { my ($number) = @_; return substr "file $number\n" x 8000, 0, 60_000 + $number * 37 % 10_000 }

sub last_number {
    my ($path) = @_;
    open my $file, '<', $path or return 0;
    my $last = 0;
    $last = $_ while <$file>;
    return int $last;
}
