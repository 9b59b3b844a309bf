#!/usr/bin/perl
# What write-mariadb.pl does, with PostgreSQL. It leaves pauses: the emulated processors serve other databases too.
use strict;
use warnings;
use DBI;
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);

use constant { KEPT_ENTRIES => 500, PAUSE_SECONDS => 0.02 };

open my $acks, '>>', '/run/lab/acks-postgresql' or die "acks: $!";
$acks->autoflush(1);
while (1) {
    eval { work(DBI->connect('DBI:Pg:dbname=lab', '', '', { RaiseError => 1, PrintError => 0, AutoCommit => 0 })) };
    warn "$@";
    select undef, undef, undef, 0.2;
}

sub work {
    my ($db) = @_;
    my ($id) = $db->selectrow_array('SELECT COALESCE(MAX(id), 0) FROM entries');
    my $insert = $db->prepare('INSERT INTO entries VALUES (?, ?)');
    my $move = $db->prepare('UPDATE accounts SET balance = balance + ? WHERE id = ?');
    my $forget = $db->prepare('DELETE FROM entries WHERE id = ?');
    while (1) {
        $id++;
        my ($from, $to, $amount) = (1 + int rand 100, 1 + int rand 100, 1 + int rand 50);
        $insert->execute($id, substr("$id " x 250, 0, 500));
        $move->execute(-$amount, $from);
        $move->execute($amount, $to);
        $forget->execute($id - KEPT_ENTRIES);
        $db->commit;
        printf {$acks} "%d %d\n", $id, 1000 * clock_gettime(CLOCK_MONOTONIC);
        select undef, undef, undef, PAUSE_SECONDS;
    }
}
