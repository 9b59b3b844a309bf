#!/usr/bin/perl
# A database under load. Each transaction inserts entry N, moves money between two accounts and deletes an old entry;
# after the COMMIT is acknowledged, "N <monotonic ms>" goes to the acknowledgements. What stands there must survive.
use strict;
use warnings;
use DBI;
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);

use constant KEPT_ENTRIES => 500;

open my $acks, '>>', '/run/lab/acks-mariadb' or die "acks: $!";
$acks->autoflush(1);
while (1) {
    eval { work(connect_database()) };
    warn "$@";
    select undef, undef, undef, 0.2;
}

sub connect_database {
    return DBI->connect('DBI:MariaDB:database=lab;mariadb_socket=/run/mysqld/mysqld.sock', 'root', '',
        { RaiseError => 1, PrintError => 0, AutoCommit => 0 });
}

sub work {
    my ($db) = @_;
    my ($id) = $db->selectrow_array('SELECT COALESCE(MAX(id), 0) FROM entries');
    my $insert = $db->prepare('INSERT INTO entries VALUES (?, ?)');
    my $move = $db->prepare('UPDATE accounts SET balance = balance + ? WHERE id = ?');
    my $forget = $db->prepare('DELETE FROM entries WHERE id = ?');
    while (1) {
        $id++;
        my ($from, $to) = (1 + int rand 100, 1 + int rand 100);
        my $amount = 1 + int rand 50;
        $insert->execute($id, substr("$id " x 1250, 0, 2500));
        $move->execute(-$amount, $from);
        $move->execute($amount, $to);
        $forget->execute($id - KEPT_ENTRIES);
        $db->commit;
        printf {$acks} "%d %d\n", $id, 1000 * clock_gettime(CLOCK_MONOTONIC);
    }
}
