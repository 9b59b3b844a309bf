#!/usr/bin/perl
# What write-mariadb.pl does, with Redis: entry N, a move between two accounts and the oldest entry in one MULTI.
use strict;
use warnings;
use IO::Socket::UNIX;
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);

use constant { KEPT_ENTRIES => 500, PAUSE_SECONDS => 0.02 };

open my $acks, '>>', '/run/lab/acks-redis' or die "acks: $!";
$acks->autoflush(1);
while (1) {
    eval { work(IO::Socket::UNIX->new(Peer => '/run/redis/redis.sock') // die "connect: $!\n") };
    warn "$@";
    select undef, undef, undef, 0.2;
}

sub work {
    my ($server) = @_;
    my $id = ask($server, 'LINDEX entries -1') || 0;
    while (1) {
        $id++;
        my ($from, $to, $amount) = (1 + int rand 100, 1 + int rand 100, 1 + int rand 50);
        my @changes = ("RPUSH entries $id", "LTRIM entries -@{[KEPT_ENTRIES]} -1", "HINCRBY accounts $from -$amount",
            "HINCRBY accounts $to $amount");
        ask($server, $_) for 'MULTI', @changes;
        ask($server, 'EXEC');
        printf {$acks} "%d %d\n", $id, 1000 * clock_gettime(CLOCK_MONOTONIC);
        select undef, undef, undef, PAUSE_SECONDS;
    }
}

# Sends one command and reads its whole answer; dies of an error.
sub ask {
    my ($server, $command) = @_;
    print {$server} "$command\r\n" or die "write: $!\n";
    return answer($server);
}

sub answer {
    my ($server) = @_;
    my $line = <$server> // die "the connection was closed\n";
    $line =~ s/\r\n\z//;
    my ($type, $rest) = (substr($line, 0, 1), substr $line, 1);
    die "$rest\n" if $type eq '-';
    if ($type eq '$') {
        return if $rest < 0;
        read $server, my $text, $rest + 2;
        return substr $text, 0, $rest;
    }
    if ($type eq '*') { answer($server) for 1 .. $rest }
    return $rest;
}
